//! Where secrets usually lie: `secrets.tsv`, read once.

#![forbid(unsafe_code)]

use std::sync::LazyLock;

use clawguard_core::{
    AbsPath, Access, AccessSet, Decider, Host, JournalPlace, Origin, Pattern, Place, Policy,
    PolicyError, ResolvedPolicy,
};

/// How many paths one pattern of the catalogue finds at the most.
const MOST: usize = 64;

/// What a secret is, which is what a person wants them sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Kind {
    Keys,
    Passwords,
    Cloud,
    Tokens,
    Browser,
    Messages,
    History,
    /// Sockets of programs outside that do what they are asked.
    Sockets,
    /// Files whose content is run later, outside: their names are no secret, changing them is the way out.
    Startup,
}

impl Kind {
    pub(crate) const ALL: [Kind; 9] = [
        Kind::Keys,
        Kind::Passwords,
        Kind::Cloud,
        Kind::Tokens,
        Kind::Browser,
        Kind::Messages,
        Kind::History,
        Kind::Sockets,
        Kind::Startup,
    ];

    /// The word in the catalogue and in `--json`.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Kind::Keys => "keys",
            Kind::Passwords => "passwords",
            Kind::Cloud => "cloud",
            Kind::Tokens => "tokens",
            Kind::Browser => "browser",
            Kind::Messages => "messages",
            Kind::History => "history",
            Kind::Sockets => "sockets",
            Kind::Startup => "startup",
        }
    }

    /// The heading that a person reads.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Kind::Keys => "Keys",
            Kind::Passwords => "Passwords and wallets",
            Kind::Cloud => "Cloud credentials",
            Kind::Tokens => "Tokens and logins",
            Kind::Browser => "Browser profiles",
            Kind::Messages => "Mail and messages",
            Kind::History => "What was typed",
            Kind::Sockets => "Sockets of programs that act for you",
            Kind::Startup => "What the next login or shell runs",
        }
    }
}

/// One line of the catalogue.
#[derive(Debug)]
pub(crate) struct Secret {
    /// Where it lies, in the words of a policy.
    pub(crate) pattern: &'static str,
    /// The accesses that an agent should not have.
    pub(crate) access: AccessSet,
    pub(crate) kind: Kind,
    /// What it is, in plain words.
    pub(crate) what: &'static str,
}

static SECRETS: LazyLock<Vec<Secret>> = LazyLock::new(|| {
    include_str!("secrets.tsv")
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(row)
        .collect()
});

/// None for a line that is not one, which a test says there is not.
fn row(line: &'static str) -> Option<Secret> {
    let mut fields = line.split('\t');
    let mut field = || fields.next();
    let (pattern, access, kind, what) = (field()?, field()?, field()?, field()?);
    let kind = Kind::ALL.into_iter().find(|one| one.word() == kind)?;
    Some(Secret { pattern, access: AccessSet::parse(access).ok()?, kind, what })
}

/// The whole catalogue, in the order in which it is written.
pub(crate) fn secrets() -> &'static [Secret] {
    &SECRETS
}

impl Secret {
    /// The pattern; none if a variable in it is not set here.
    fn pattern_on(&self, host: &Host) -> Option<Pattern> {
        let pattern = Pattern::parse(self.pattern.as_bytes(), Place::File).ok()?;
        host.existing(&pattern, 0).ok().map(|_| pattern)
    }
}

/// A secret that exists on this machine.
#[derive(Debug)]
pub(crate) struct Present {
    pub(crate) secret: &'static Secret,
    /// Where: what its pattern finds, links not followed.
    pub(crate) paths: Vec<AbsPath>,
}

/// What exists on this machine, in the catalogue's order.
pub(crate) fn present(host: &Host) -> Vec<Present> {
    let look = |secret: &'static Secret| {
        let paths = host.existing(&secret.pattern_on(host)?, MOST).ok()?;
        Some(Present { secret, paths })
    };
    secrets().iter().filter_map(look).filter(|present| !present.paths.is_empty()).collect()
}

/// Answers whether a path is a secret, whether it exists or not.
#[derive(Debug)]
pub(crate) struct Secrets {
    policy: ResolvedPolicy,
    decider: Decider,
    /// The secret of each rule, by position.
    rules: Vec<&'static Secret>,
}

impl Secrets {
    /// The catalogue as a policy of blocks: paths and links mean here what they mean there.
    ///
    /// # Errors
    /// [`PolicyError`] where a policy of these blocks could not be resolved.
    pub(crate) fn new(host: &Host) -> Result<Secrets, PolicyError> {
        let origin = Origin::BuiltIn { part: "catalogue of secrets" };
        let mut policy = Policy::parse("security: {file_access: {presets: []}}", "catalogue")?;
        policy.log_to(JournalPlace::Nowhere);
        let mut rules = Vec::new();
        for secret in secrets() {
            if let Some(pattern) = secret.pattern_on(host) {
                policy.block(pattern, secret.access, origin.clone());
                rules.push(secret);
            }
        }
        let policy = policy.resolve(host)?;
        let decider = policy.decider();
        Ok(Secrets { policy, decider, rules })
    }

    /// The secret that a real path is or lies in, if `access` is one that an agent should not have there.
    pub(crate) fn find(&mut self, path: &AbsPath, access: Access) -> Option<&'static Secret> {
        let verdict = self.decider.decide(path).verdict(access);
        let rule = verdict.rule().filter(|_| !verdict.is_allowed())?;
        let at = self.policy.rules().position(|(id, _)| id == rule)?;
        self.rules.get(at).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(home: &std::path::Path) -> Host {
        let mut host = Host::current().unwrap();
        host.home = AbsPath::parse(home.as_os_str().as_encoded_bytes()).ok();
        host.environment.remove(std::ffi::OsStr::new("SSH_AUTH_SOCK"));
        host
    }

    #[test]
    fn every_line_of_the_catalogue_is_read_once() {
        let lines =
            include_str!("secrets.tsv").lines().filter(|line| !line.starts_with('#')).count();
        assert_eq!(secrets().len(), lines);
        let mut patterns: Vec<_> = secrets().iter().map(|secret| secret.pattern).collect();
        patterns.sort_unstable();
        patterns.dedup();
        assert_eq!(patterns.len(), lines, "a pattern is there twice");
        for secret in secrets() {
            Pattern::parse(secret.pattern.as_bytes(), Place::File).unwrap();
            assert!(!secret.what.is_empty() && !secret.access.is_empty(), "{}", secret.pattern);
        }
    }

    #[test]
    fn a_path_is_found_in_it_whether_it_exists_or_not() {
        let home = tempfile::tempdir().unwrap();
        let home = home.path().canonicalize().unwrap();
        let mut secrets = Secrets::new(&host(&home)).unwrap();
        let mut kind = |path: &str, access| {
            let path = AbsPath::parse(home.join(path).as_os_str().as_encoded_bytes()).unwrap();
            secrets.find(&path, access).map(|secret| secret.kind)
        };
        assert_eq!(kind(".ssh/id_ed25519", Access::Read), Some(Kind::Keys));
        assert_eq!(kind("Documents/all.kdbx", Access::Read), Some(Kind::Passwords));
        assert_eq!(kind(".bashrc", Access::Read), None);
        assert_eq!(kind(".bashrc", Access::Write), Some(Kind::Startup));
        assert_eq!(kind("Documents/all.txt", Access::Read), None);
    }

    #[test]
    fn what_is_there_is_told_and_nothing_else() {
        let home = tempfile::tempdir().unwrap();
        let home = home.path().canonicalize().unwrap();
        std::fs::create_dir_all(home.join(".aws")).unwrap();
        std::fs::write(home.join("my.kdbx"), "").unwrap();
        let present = present(&host(&home));
        let beneath: Vec<_> = present
            .iter()
            .flat_map(|present| &present.paths)
            .filter_map(|path| path.as_path().strip_prefix(&home).ok())
            .collect();
        assert_eq!(beneath, [std::path::Path::new(".aws"), std::path::Path::new("my.kdbx")]);
    }
}
