//! What blocked files hold: a different random word each, so that a leak names its source; and the search for them.

use std::collections::HashMap;
use std::fs::File;
use std::io::Read;

use base64::Engine;

/// Twelve bytes of a canary are a leak: it holds 128 random bits, so they occur nowhere else.
const WINDOW: usize = 12;

/// All that must not be seen, and where it comes from.
#[derive(Default)]
pub(crate) struct Canaries {
    windows: HashMap<[u8; WINDOW], String>,
}

impl Canaries {
    /// A fresh word, known to be the secret of `source`.
    pub(crate) fn make(&mut self, source: &str) -> String {
        let mut random = [0_u8; 16];
        File::open("/dev/urandom").unwrap().read_exact(&mut random).unwrap();
        let word = format!("cnry{}", hex(&random));
        self.learn(source, &word);
        word
    }

    /// As it is, backwards, in hexadecimal, and in base64 from each of its three phases.
    fn learn(&mut self, source: &str, word: &str) {
        let base64 = base64::engine::general_purpose::STANDARD_NO_PAD;
        let mut forms = vec![word.to_owned(), word.chars().rev().collect(), hex(word.as_bytes())];
        forms.extend((0..3).map(|phase| base64.encode(&word[phase..])));
        for form in forms {
            for window in form.as_bytes().windows(WINDOW) {
                self.windows.insert(window.try_into().unwrap(), source.to_owned());
            }
        }
    }

    /// The source of a secret of which these bytes hold a part.
    pub(crate) fn found_in(&self, bytes: &[u8]) -> Option<&str> {
        bytes.windows(WINDOW).find_map(|window| self.windows.get(window)).map(String::as_str)
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
