//! What the user meant: YAML in, typed rules out. Looks at no disk and no environment.

#![forbid(unsafe_code)]

mod assemble;
mod braces;
mod error;
pub(crate) mod pattern;
pub(crate) mod preset;
mod rule;
mod schema;
mod settings;
mod token;
mod wildcard;
mod yaml;

use std::path::Path;
use std::sync::Arc;

pub use self::error::{Mistake, MistakeKind, PolicyError, nearest};
pub(crate) use self::pattern::Component;
pub use self::pattern::{Pattern, PatternError, PatternErrorKind, Place};
pub use self::preset::Preset;
pub use self::rule::{Effect, Origin, Rule};
use self::schema::Source;
pub use self::settings::{
    AlertOn, Environment, JournalPlace, Listen, Logging, OnDenied, Temporary,
};
pub(crate) use self::token::expand;
pub(crate) use self::wildcard::{ByteSet, Case, Wildcard};
use crate::access::AccessSet;

/// What a policy file says, or the built-in default; the first stage of the pipeline.
#[derive(Clone, Debug)]
pub struct Policy {
    /// The file; none for the built-in default.
    pub(crate) file: Option<Arc<Path>>,
    pub(crate) has_file_access: bool,
    pub(crate) presets: Option<Vec<(String, Origin)>>,
    pub(crate) rules: Vec<Rule>,
    pub(crate) temporary: Temporary,
    pub(crate) environment: Environment,
    pub(crate) listen: Option<(Listen, Origin)>,
    pub(crate) logging: Logging,
    pub(crate) journal: JournalPlace,
    pub(crate) observe: bool,
    near_misses: Vec<Mistake>,
}

impl Policy {
    /// Reads a policy. `file` is the name that errors and decisions show.
    ///
    /// ```
    /// use clawguard_core::Policy;
    /// let text = "security: {file_access: {allowed_paths: [/work], blocked_paths: ['**/.env']}}";
    /// assert_eq!(Policy::parse(text, "policy.yaml")?.rules().len(), 2);
    ///
    /// let error = Policy::parse("security: {file_access: {allow_paths: [/work]}}", "policy.yaml").unwrap_err();
    /// assert!(error.to_string().contains("policy.yaml:1:26: unknown key `allow_paths`"));
    /// # Ok::<(), clawguard_core::PolicyError>(())
    /// ```
    ///
    /// # Errors
    /// [`PolicyError::Mistakes`] with every mistake that the text alone shows.
    pub fn parse(text: impl AsRef<[u8]>, file: impl AsRef<Path>) -> Result<Policy, PolicyError> {
        let file: Arc<Path> = Arc::from(file.as_ref());
        let document = schema::read(text.as_ref(), Source::File(Arc::clone(&file)))
            .map_err(PolicyError::Mistakes)?;
        Ok(Policy {
            file: Some(file),
            has_file_access: document.has_file_access,
            presets: document.presets,
            rules: document.rules,
            temporary: document.temporary.unwrap_or_default(),
            environment: document.environment,
            listen: document.listen,
            logging: document.logging,
            journal: JournalPlace::default(),
            observe: false,
            near_misses: document.near_misses,
        })
    }

    /// The built-in default of SPEC section 2: the working directory, without secrets.
    ///
    /// What it allows depends on the host, so its rules appear when it is resolved.
    #[must_use]
    pub fn builtin() -> Policy {
        Policy {
            file: None,
            has_file_access: true,
            presets: None,
            rules: Vec::new(),
            temporary: Temporary::default(),
            environment: Environment::default(),
            listen: None,
            logging: Logging::default(),
            journal: JournalPlace::default(),
            observe: false,
            near_misses: Vec::new(),
        }
    }

    /// Adds an allowed path. On top of the built-in default, the first one replaces the working directory.
    pub fn allow(&mut self, pattern: Pattern, access: AccessSet, origin: Origin) {
        self.rules.push(Rule { pattern, effect: Effect::Allowed, access, origin });
    }

    /// Adds a blocked path.
    pub fn block(&mut self, pattern: Pattern, access: AccessSet, origin: Origin) {
        self.rules.push(Rule { pattern, effect: Effect::Blocked, access, origin });
    }

    /// Puts the journal there, and guards it. Without this it is nowhere.
    pub fn log_to(&mut self, place: JournalPlace) {
        self.journal = place;
    }

    /// Hands a variable on although the default list or the policy would not; `*` at either end takes the rest of a
    /// name.
    pub fn keep_variable(&mut self, name: impl Into<String>) {
        self.environment.keep.insert(name.into());
    }

    /// Lets everything that the target does be seen: each call stops at the supervisor, which notes what was asked of
    /// which path ([`Ending::observed`](crate::Ending)). For learning what a command needs.
    pub fn observe(&mut self) {
        self.observe = true;
    }

    /// The rules, in the order in which they were written; those of presets are not among them.
    #[must_use]
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// The file; none for the built-in default.
    #[must_use]
    pub fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// Does the text have a `security.file_access` at all?
    #[must_use]
    pub fn has_file_access(&self) -> bool {
        self.has_file_access
    }

    /// What is logged.
    #[must_use]
    pub fn logging(&self) -> &Logging {
        &self.logging
    }

    /// In a file that would be passed over for want of our sections, a misspelt one is a mistake.
    pub(crate) fn refuse_near_misses(self) -> Result<(), PolicyError> {
        if self.near_misses.is_empty() {
            Ok(())
        } else {
            Err(PolicyError::Mistakes(self.near_misses))
        }
    }

    /// What a person should look at although it is no mistake, one sentence each.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        let near = |mistake: &Mistake| {
            format!("{mistake} (as it stands, it is taken for somebody else's key)")
        };
        let mut warnings: Vec<String> = self.near_misses.iter().map(near).collect();
        if !self.has_file_access {
            let file = self
                .file
                .as_deref()
                .map(|file| crate::path::escape(file.as_os_str().as_encoded_bytes()));
            warnings.push(format!(
                "{}: there is no `security.file_access`: only what the presets grant is allowed",
                file.unwrap_or_default()
            ));
        }
        warnings
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn errors(text: &str) -> Vec<String> {
        match Policy::parse(text, "p.yaml") {
            Err(error) => error.to_string().lines().map(str::to_owned).collect(),
            Ok(policy) => panic!("no mistake was found: {policy:?}"),
        }
    }

    fn access(body: &str) -> String {
        format!("security:\n  file_access:\n{body}")
    }

    #[test]
    fn the_example_of_the_law_is_read() {
        let policy = Policy::parse(
            r#"
security:
  file_access:
    presets: [system, openclaw]
    allowed_paths:
      - "~/Documents/openclaw-workspace"
      - { path: "~/Downloads", access: r }
    blocked_paths:
      - "~/.*"
      - { path: "**/.github/workflows", access: w }
      - "**/.env"
logging:
  log_file_access: false
  log_commands: true
  max_size: 100MB
  retention: 30d
  somebody_elses: 7
other: [1, 2]
"#,
            "/h/.openclaw/config.yaml",
        )
        .unwrap();
        assert_eq!(policy.rules().len(), 5);
        assert_eq!(policy.rules()[1].access.to_string(), "r");
        assert_eq!(policy.rules()[3].effect, Effect::Blocked);
        assert_eq!(policy.rules()[4].origin.line(), Some(11));
        assert!(policy.logging().commands);
        assert!(policy.warnings().is_empty());
    }

    #[test]
    fn several_mistakes_are_reported_together_with_their_places() {
        let text = access(concat!(
            "    allowd_paths: []\n",
            "    allowed_paths:\n",
            "      - \"/a/[b\"\n",
            "      - relative/x\n",
            "      - { path: /c, access: rq, mode: 7 }\n",
            "      - \"\"\n",
            "      - [1]\n",
            "      - { access: r }\n",
            "    temporary: sometimes\n",
        ));
        assert_eq!(
            errors(&text),
            [
                "p.yaml:3:5: unknown key `allowd_paths` in `security.file_access`; did you mean `allowed_paths`?",
                "p.yaml:5:13: `/a/[b`: an unclosed `[` (write `\\[` for the character itself)",
                "p.yaml:6:9: `relative/x`: a relative path: begin it with `/`, `~/`, `$VAR/` or `**/` (on the command line also `./`)",
                "p.yaml:7:29: `rq`: an access is one or more of the letters r, w and x, not `q`",
                "p.yaml:7:33: unknown key `mode` in `an entry`",
                "p.yaml:8:9: ``: an empty path",
                "p.yaml:9:9: `allowed_paths` takes paths, or maps of `path` and `access`, not a list",
                "p.yaml:10:9: `an entry` has no `path`",
                "p.yaml:11:16: `temporary` takes `private`, `shared` or `none`, not `sometimes`",
            ]
        );
    }

    #[test]
    fn bad_yaml_and_doubled_keys_are_mistakes() {
        assert!(errors("security: [")[0].starts_with("p.yaml:"));
        let doubled = access("    blocked_paths: [/a]\n    blocked_paths: []\n");
        assert_eq!(
            errors(&doubled),
            ["p.yaml:4:5: the key `blocked_paths` is there twice in `security.file_access`"]
        );
    }

    #[test]
    fn empty_and_absent_lists_are_valid_and_others_keys_are_left_alone() {
        let text = access("    allowed_paths:\n    blocked_paths: []\n    presets: []\n");
        let policy = Policy::parse(text, "p.yaml").unwrap();
        assert!(policy.rules().is_empty());
        assert_eq!(policy.presets.as_deref(), Some(&[][..]));
        let policy = Policy::parse("gateway: {port: 1}\nx-paths: [1]\n", "p.yaml").unwrap();
        assert!(!policy.has_file_access());
        let text = "gateway: {port: 1}\nsecurity: {audit: on}\nlogging: {level: 3}\n";
        let policy = Policy::parse(text, "/h/.openclaw/config.yaml").unwrap();
        assert!(policy.warnings().iter().all(|warning| warning.contains("no `security.file")));
    }

    #[test]
    fn in_openclaws_own_file_a_misspelt_section_is_warned_about() {
        let text = "security: {file_acess: {}}";
        let policy = Policy::parse(text, "/h/.openclaw/config.yaml").unwrap();
        assert!(
            policy.warnings()[0].contains("did you mean `file_access`?"),
            "{:?}",
            policy.warnings()
        );
    }

    #[test]
    fn a_misspelt_key_of_our_sections_is_a_mistake() {
        for (text, place, near) in [
            ("security: {file_acess: {}}", "p.yaml:1:12: ", "did you mean `file_access`?"),
            ("security:\n  netwrok: {listen: loopback}\n", "p.yaml:2:3: ", "`network`?"),
            ("security:\n  enviroment: {}\n", "p.yaml:2:3: ", "`environment`?"),
            ("security: {quite_another: 1}", "p.yaml:1:12: ", "unknown key `quite_another`"),
            ("logging: {log_denial: false}", "p.yaml:1:11: ", "`log_denials`?"),
            ("secruity: {}", "p.yaml:1:1: ", "`security`?"),
            ("loging: {}", "p.yaml:1:1: ", "`logging`?"),
            ("file_access: {}", "p.yaml:1:1: ", "belongs into `security`"),
            ("allowed_paths: []", "p.yaml:1:1: ", "belongs into `security.file_access`"),
        ] {
            let error = Policy::parse(text, "p.yaml").unwrap_err().to_string();
            assert!(error.starts_with(place) && error.contains(near), "{text}: {error}");
        }
    }

    #[test]
    fn a_bare_tilde_is_the_home_directory_and_binary_is_bytes() {
        let policy =
            Policy::parse(access("    allowed_paths: [~, !!binary L3cv/w==]\n"), "p.yaml").unwrap();
        assert_eq!(policy.rules()[0].pattern.text(), b"~");
        assert_eq!(policy.rules()[1].pattern.text(), b"/w/\xff");
    }
}
