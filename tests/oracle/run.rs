//! One case: the same operations in a tree under the shim and in its bare twin, with the model between them.

#![forbid(unsafe_code)]

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::actor::{Actor, Answer};
use crate::generate::{self, Random};
use crate::guard;
use crate::kernel;
use crate::law::{Law, Name, split};
use crate::needs::{self, Judge, Verdict};
use crate::operation::{Operation, Who, show};
use crate::outside;
use crate::policy::{self, Entry};
use crate::scene::Scene;
use crate::support::World;
use crate::tree::{self, Node, Stamps};

/// How the shim is asked to enforce.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Auto,
    Supervised,
    Kernel,
}

impl Mode {
    pub(crate) fn option(self) -> &'static str {
        match self {
            Mode::Auto => "auto",
            Mode::Supervised => "supervised",
            Mode::Kernel => "kernel",
        }
    }
}

/// A script: everything that a disagreement needs to be seen again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Case {
    pub(crate) nodes: Vec<Node>,
    pub(crate) entries: Vec<Entry>,
    pub(crate) operations: Vec<Operation>,
}

/// What was seen that the model does not say.
#[derive(Clone, Debug)]
pub(crate) struct Disagreement {
    pub(crate) verdict: Option<Verdict>,
    pub(crate) text: String,
}

/// What became of a run's operations.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) operations: u64,
    pub(crate) done: u64,
    pub(crate) denied: u64,
    pub(crate) failed: u64,
    pub(crate) limited: u64,
    pub(crate) starts: u64,
}

impl Counts {
    pub(crate) fn add(&mut self, other: Counts) {
        self.operations += other.operations;
        self.done += other.done;
        self.denied += other.denied;
        self.failed += other.failed;
        self.limited += other.limited;
        self.starts += other.starts;
    }
}

/// The whole trees are compared after so many operations, and at the end.
const LOOK: usize = 16;

pub(crate) struct Stage<'w> {
    pub(crate) world: &'w World,
    pub(crate) mode: Mode,
    pub(crate) number: u64,
}

/// The twins, ready to act.
struct Pair<'a> {
    confined: Actor,
    bare: Actor,
    tops: [&'a Path; 2],
    law: &'a Law,
    pins: Vec<Vec<Name>>,
    mode: Mode,
    uid: u32,
    /// Files that had several names at the start.
    linked: Vec<(u64, u64)>,
    stamps: Option<Stamps>,
    counts: Counts,
}

impl Stage<'_> {
    fn names(&self) -> [PathBuf; 3] {
        let root = self.world.root();
        let of = |letter: &str, end: &str| root.join(format!("{letter}{:06}{end}", self.number));
        [of("A", ""), of("B", ""), of("policy", ".yaml")]
    }

    fn program(&self) -> String {
        self.world.text("{root}/bin/actor")
    }

    /// Plays a case that was made before.
    pub(crate) fn replay(&self, case: &Case) -> Result<Counts, Disagreement> {
        let mut rest = case.operations.iter();
        self.play(&case.nodes, &case.entries, |_| rest.next().cloned())
    }

    /// Makes a case as it plays it.
    pub(crate) fn invent(&self, seed: u64, length: usize) -> Result<Counts, (Case, Disagreement)> {
        let mut random = Random(seed);
        let mut nodes = generate::tree(&mut random, &self.program());
        if random.once_in(2) {
            generate::guards(&mut random, &mut nodes, self.mode != Mode::Kernel);
        }
        let guarded = guard::paths(&nodes);
        let entries = generate::policy(&mut random, &nodes);
        // docs/limits.md, "Hard links and moved directories": without a supervisor a grant stays with what was moved.
        let disturbed = random.once_in(2) && self.mode != Mode::Kernel;
        let mut operations = Vec::new();
        let result = self.play(&nodes, &entries, |pair| {
            let is_enough = operations.len() >= length;
            if is_enough {
                return None;
            }
            let who = Who::Worker(random.pick(&[0, 0, 0, 1, 2, 3]));
            let paths = tree::paths(pair.tops[0]);
            let top = split(pair.tops[0].as_os_str().as_bytes());
            let process = pair.confined.process(who);
            let scene = Scene { paths: &paths, process, top: &top, guarded: &guarded };
            let operation = if disturbed && random.once_in(12) {
                scene.change(&mut random)
            } else {
                scene.operation(&mut random, who)
            };
            operations.push(operation.clone());
            Some(operation)
        });
        result.map_err(|disagreement| (Case { nodes, entries, operations }, disagreement))
    }

    fn play(
        &self,
        nodes: &[Node],
        entries: &[Entry],
        mut next: impl FnMut(&Pair<'_>) -> Option<Operation>,
    ) -> Result<Counts, Disagreement> {
        let [confined_top, bare_top, policy] = self.names();
        let uid = self.world.user.uid;
        for top in [&confined_top, &bare_top] {
            tree::build(top, nodes, uid);
        }
        let text = confined_top.to_str().unwrap();
        for top in [&confined_top, &bare_top] {
            let text = policy::yaml(entries, top.to_str().unwrap(), &self.program());
            guard::write(nodes, top, &text);
        }
        fs::write(&policy, policy::yaml(entries, text, &self.program())).unwrap();
        self.world.give(&policy);
        let rules = entries.iter().flat_map(|entry| entry.rules(text));
        let law = Law::new(rules.chain(guard::rules(nodes, &confined_top)).collect());
        let named = guard::named(nodes, &confined_top).unwrap_or(policy.clone());
        let mut shim = self.world.shim_with(["-q", "--policy"]).args([named]);
        if let Some(config) = guard::config(nodes, &confined_top) {
            shim = shim.env("XDG_CONFIG_HOME", config);
        }
        let shim = shim.args(["--mode", self.mode.option(), "--", &self.program()]);
        let child = shim.cwd(text).start();
        let result = Actor::greet(child, uid, text.as_bytes())
            .map_err(|text| Disagreement {
                verdict: None,
                text: format!("it did not start: {text}"),
            })
            .and_then(|confined| {
                let bare = Actor::bare(self.world, Path::new(&self.program()), &bare_top);
                let process = confined.process(Who::Worker(0));
                let mut pair = Pair {
                    confined,
                    bare,
                    tops: [&confined_top, &bare_top],
                    law: &law,
                    pins: needs::pins(&law, &process, &split(text.as_bytes())),
                    mode: self.mode,
                    uid,
                    linked: kernel::linked(&confined_top),
                    stamps: None,
                    counts: Counts { starts: 1, ..Counts::default() },
                };
                let mut result = Ok(());
                while let Some(operation) = next(&pair) {
                    result = pair.step(&operation);
                    if result.is_err() {
                        break;
                    }
                }
                let result = result.and_then(|()| pair.compare_trees());
                let counts = pair.counts;
                let words = pair.confined.last_words();
                pair.bare.last_words();
                result.map(|()| counts).map_err(|mut disagreement| {
                    if disagreement.verdict.is_none() {
                        disagreement.text.push_str(&words);
                    }
                    disagreement
                })
            });
        for top in [&confined_top, &bare_top] {
            // A policy may let the top itself be removed.
            let removed = fs::remove_dir_all(top);
            assert!(removed.is_ok() || tree::paths(top).is_empty(), "{removed:?}");
        }
        fs::remove_file(&policy).unwrap();
        result
    }
}

impl Pair<'_> {
    fn stamps(&mut self) -> Stamps {
        self.stamps.take().unwrap_or_else(|| tree::stamps(self.tops[0]))
    }

    fn step(&mut self, operation: &Operation) -> Result<(), Disagreement> {
        if operation.who == Who::Outside {
            self.stamps = None;
            let [one, other] =
                self.tops.map(|top| outside::change(top, operation, self.uid).is_ok());
            assert_eq!(one, other, "{operation}");
            // docs/limits.md, "Directories that somebody outside replaces": it is seen within a millisecond.
            std::thread::sleep(Duration::from_millis(3));
            return Ok(());
        }
        let top_text = self.tops[0].as_os_str().as_bytes();
        let top: Vec<Name> = split(top_text);
        let judge = Judge { law: self.law, top: &top, top_text, pins: &self.pins };
        let process = self.confined.process(operation.who);
        let mut verdict = judge.verdict(&process, operation);
        let mut may_deny = false;
        let mut made = None;
        if self.mode == Mode::Kernel {
            may_deny = true;
            made = kernel::made_only(&judge, &process, operation);
            let held = kernel::holds(&judge, &process, operation, &self.linked);
            if matches!(verdict, Verdict::Denied(_)) && !held {
                verdict = Verdict::Natural;
            }
        }
        if verdict == Verdict::Elsewhere {
            return Ok(());
        }
        self.counts.operations += 1;
        let before = (may_deny || matches!(verdict, Verdict::Denied(_) | Verdict::Limited(_)))
            .then(|| self.stamps());
        self.stamps = None;
        let Some(confined) = self.confined.act(operation) else {
            return Err(Disagreement {
                verdict: None,
                text: "no answer under the shim: ".to_owned(),
            });
        };
        let disagrees = |text: String| Err(Disagreement { verdict: Some(verdict.clone()), text });
        match &verdict {
            Verdict::Denied(_) if may_deny && confined.errno != 0 => self.counts.denied += 1,
            Verdict::Denied(errnos) => {
                if confined.errno == 0 {
                    return disagrees(format!("it was done: {}", tell(&confined)));
                }
                let after = tree::stamps(self.tops[0]);
                if before.as_ref() != Some(&after) {
                    let text = format!("the tree changed, with {}", tell(&confined));
                    return disagrees(text);
                }
                self.stamps = Some(after);
                self.counts.denied += 1;
                if errnos.contains(&confined.errno) {
                    return Ok(());
                }
            }
            Verdict::Limited(errno) if confined.errno == *errno => {
                let after = tree::stamps(self.tops[0]);
                if before.as_ref() != Some(&after) {
                    return disagrees(format!("the tree changed, with {}", tell(&confined)));
                }
                self.stamps = Some(after);
                self.counts.limited += 1;
                return Ok(());
            }
            Verdict::Natural | Verdict::Limited(_) | Verdict::Elsewhere => {}
        }
        if may_deny && kernel::DENIALS.contains(&confined.errno) {
            let after = tree::stamps(self.tops[0]);
            if let (Some(made), true) = (made, before.as_ref() != Some(&after)) {
                self.bare.act(&made);
                return self.compare_trees();
            }
            if before.as_ref() != Some(&after) {
                return disagrees(format!("the tree changed, with {}", tell(&confined)));
            }
            self.stamps = Some(after);
            self.counts.limited += u64::from(!matches!(verdict, Verdict::Denied(_)));
            return Ok(());
        }
        let Some(bare) = self.bare.act(operation) else {
            return Err(Disagreement {
                verdict: None,
                text: "no answer without the shim: ".to_owned(),
            });
        };
        if confined != bare {
            return disagrees(format!("confined {}, bare {}", tell(&confined), tell(&bare)));
        }
        if bare.errno == 0 {
            self.counts.done += 1;
        } else {
            self.counts.failed += 1;
        }
        if self.counts.operations.is_multiple_of(LOOK as u64) {
            self.compare_trees()
        } else {
            Ok(())
        }
    }

    fn compare_trees(&self) -> Result<(), Disagreement> {
        let [confined, bare] = self.tops.map(tree::look);
        let differences = tree::differences(&confined, &bare);
        if differences.is_empty() {
            return Ok(());
        }
        let text = format!("the trees differ:\n    {}", differences.join("\n    "));
        Err(Disagreement { verdict: Some(Verdict::Natural), text })
    }
}

fn tell(answer: &Answer) -> String {
    match answer.errno {
        0 => format!("ok \"{}\"", show(&answer.seen)),
        errno => format!("{:?}", std::io::Error::from_raw_os_error(errno).to_string()),
    }
}
