//! Why an operation was refused although the rules allow its paths: what it would have done.
//!
//! One word for the journal and one sentence for a person. Every message about such a refusal takes its words from here.

#![forbid(unsafe_code)]

/// What an operation would have done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Refusal {
    /// Remove, move or replace a pinned directory, or put a link in its place. The rule is the one that pins it.
    Pinned,
    /// Make a link that could lead to what is blocked.
    Link,
    /// Give a file a name that allows more than another one of it.
    Gain,
    /// Move a directory to where something in it is decided differently.
    Contents,
    /// Move a file that Landlock was given by its name to where its name is decided differently.
    Granted,
    /// Change a device of the machine.
    Device,
    /// Make a file that lends the rights of its owner, or of its group, to whoever executes it.
    Lends,
    /// Make a socket of which nobody can judge where it sends.
    Datagram,
    /// Listen on an address that other machines reach.
    Address,
}

impl Refusal {
    /// All of them.
    pub const ALL: [Refusal; 9] = [
        Refusal::Pinned,
        Refusal::Link,
        Refusal::Gain,
        Refusal::Contents,
        Refusal::Granted,
        Refusal::Device,
        Refusal::Lends,
        Refusal::Datagram,
        Refusal::Address,
    ];

    /// The word in the journal.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Refusal::Pinned => "pinned",
            Refusal::Link => "link",
            Refusal::Gain => "gain",
            Refusal::Contents => "contents",
            Refusal::Granted => "granted",
            Refusal::Device => "device",
            Refusal::Lends => "lends",
            Refusal::Datagram => "datagram",
            Refusal::Address => "address",
        }
    }

    /// The reverse of [`word`](Refusal::word); none for a word of a later version.
    #[must_use]
    pub fn of_word(word: &str) -> Option<Refusal> {
        Refusal::ALL.into_iter().find(|one| one.word() == word)
    }

    /// The reason, as a sentence without its end.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            Refusal::Pinned => "the directory is pinned: the next start must find it",
            Refusal::Link => "a link here could lead to what is blocked",
            Refusal::Gain => "one of its names would allow what another one denies",
            Refusal::Contents => "what is in it would be decided differently at its new place",
            Refusal::Granted => "the file would be decided differently at its new place",
            Refusal::Device => "a device of the machine is not changed from inside",
            Refusal::Lends => {
                "whoever executed the file would act with the rights of its owner or group"
            }
            Refusal::Datagram => "unix datagram sockets: nobody can judge where they send",
            Refusal::Address => "only loopback addresses may listen",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_read_back_and_every_reason_is_its_own() {
        for one in Refusal::ALL {
            assert_eq!(Refusal::of_word(one.word()), Some(one));
            assert_eq!(
                Refusal::ALL.into_iter().filter(|two| two.reason() == one.reason()).count(),
                1
            );
        }
        assert_eq!(Refusal::of_word("later"), None);
    }
}
