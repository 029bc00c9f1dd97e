//! One case: the same operations in a tree under the shim and in its bare twin, with the model between them.

#![forbid(unsafe_code)]

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
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
    /// The policies of further runs in the same tree: one or none.
    pub(crate) others: Vec<Vec<Entry>>,
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

/// Workers of two runs.
const WORKERS_OF_TWO: &[u8] = &[0, 0, 1, 2, 3, 4, 4, 5, 6, 7];

pub(crate) struct Stage<'w> {
    pub(crate) world: &'w World,
    pub(crate) mode: Mode,
    pub(crate) number: u64,
}

/// A confined run, and what does the same in the bare twin.
struct Run {
    confined: Actor,
    bare: Actor,
    law: Law,
    pins: Vec<Vec<Name>>,
}

/// The twins, ready to act.
struct Pair<'a> {
    /// Several runs may act in the same tree, each under its own policy.
    runs: Vec<Run>,
    /// The run that acted last.
    last: usize,
    tops: [&'a Path; 2],
    mode: Mode,
    uid: u32,
    /// Files that had several names at the start.
    linked: Vec<(u64, u64)>,
    stamps: Option<Stamps>,
    counts: Counts,
}

impl Stage<'_> {
    fn tops(&self) -> [PathBuf; 2] {
        ["A", "B"].map(|letter| self.world.root().join(format!("{letter}{:06}", self.number)))
    }

    /// Where the policy of a run is, if it is not in the tree.
    fn policy(&self, run: usize) -> PathBuf {
        self.world.root().join(format!("policy{:06}-{run}.yaml", self.number))
    }

    fn program(&self) -> String {
        self.world.text("{root}/bin/actor")
    }

    /// Plays a case that was made before.
    pub(crate) fn replay(&self, case: &Case) -> Result<Counts, Disagreement> {
        let mut rest = case.operations.iter();
        let policies = [std::slice::from_ref(&case.entries), &case.others].concat();
        self.play(&case.nodes, &policies, |_| rest.next().cloned())
    }

    /// Makes a case as it plays it.
    pub(crate) fn invent(
        &self,
        seed: u64,
        length: usize,
    ) -> Result<Counts, Box<(Case, Disagreement)>> {
        let mut random = Random(seed);
        let mut nodes = generate::tree(&mut random, &self.program());
        if random.once_in(2) {
            generate::guards(&mut random, &mut nodes, self.mode != Mode::Kernel);
        }
        let guarded = guard::paths(&nodes);
        let entries = generate::policy(&mut random, &nodes);
        // docs/limits.md, "Hard links and moved directories": without a supervisor a grant stays with what was moved.
        let disturbed = random.once_in(2) && self.mode != Mode::Kernel;
        // The same holds for what another run moves.
        let has_other = random.once_in(3) && self.mode != Mode::Kernel;
        let mut policies = vec![entries];
        if has_other {
            let is_same = random.once_in(4);
            let other =
                if is_same { policies[0].clone() } else { generate::policy(&mut random, &nodes) };
            policies.push(other);
        }
        let workers = if has_other { WORKERS_OF_TWO } else { &[0, 0, 0, 1, 2, 3] };
        let mut operations = Vec::new();
        let result = self.play(&nodes, &policies, |pair| {
            let is_enough = operations.len() >= length;
            if is_enough {
                return None;
            }
            let who = Who::Worker(random.pick(workers));
            let paths = tree::paths(pair.tops[0]);
            let top = split(pair.tops[0].as_os_str().as_bytes());
            let process = pair.runs[who.run()].confined.process(who);
            let scene = Scene { paths: &paths, process, top: &top, guarded: &guarded };
            let operation = if disturbed && random.once_in(12) {
                scene.change(&mut random)
            } else {
                scene.operation(&mut random, who)
            };
            operations.push(operation.clone());
            Some(operation)
        });
        result.map_err(|disagreement| {
            let others = policies.split_off(1);
            let entries = policies.remove(0);
            Box::new((Case { nodes, entries, others, operations }, disagreement))
        })
    }

    fn play(
        &self,
        nodes: &[Node],
        policies: &[Vec<Entry>],
        next: impl FnMut(&Pair<'_>) -> Option<Operation>,
    ) -> Result<Counts, Disagreement> {
        let tops = self.tops();
        let uid = self.world.user.uid;
        for top in &tops {
            tree::build(top, nodes, uid);
            let text = policy::yaml(&policies[0], top.to_str().unwrap(), &self.program());
            guard::write(nodes, top, &text);
        }
        let starts = policies.iter().enumerate();
        let runs = starts.map(|(run, entries)| self.start(run, nodes, entries, &tops));
        let result = runs.collect::<Result<Vec<Run>, Disagreement>>().and_then(|runs| {
            let pair = Pair {
                counts: Counts { starts: runs.len() as u64, ..Counts::default() },
                runs,
                last: 0,
                tops: [&tops[0], &tops[1]],
                mode: self.mode,
                uid,
                linked: kernel::linked(&tops[0]),
                stamps: None,
            };
            pair.play(next)
        });
        for top in &tops {
            // A policy may let the top itself be removed.
            let removed = fs::remove_dir_all(top);
            assert!(removed.is_ok() || tree::paths(top).is_empty(), "{removed:?}");
        }
        for run in 0..policies.len() {
            fs::remove_file(self.policy(run)).unwrap();
        }
        result
    }

    /// Starts one run. Only the first one has guards in the tree.
    fn start(
        &self,
        run: usize,
        nodes: &[Node],
        entries: &[Entry],
        [top, bare_top]: &[PathBuf; 2],
    ) -> Result<Run, Disagreement> {
        let nodes = if run == 0 { nodes } else { &[] };
        let text = top.to_str().unwrap();
        let policy = self.policy(run);
        fs::write(&policy, policy::yaml(entries, text, &self.program())).unwrap();
        self.world.give(&policy);
        let rules = entries.iter().flat_map(|entry| entry.rules(text));
        let law = Law::new(rules.chain(guard::rules(nodes, top)).collect());
        let named = guard::named(nodes, top).unwrap_or(policy);
        let mut shim = self.world.shim_with(["-q", "--policy"]).args([named]);
        if let Some(config) = guard::config(nodes, top) {
            shim = shim.env("XDG_CONFIG_HOME", config);
        }
        let shim = shim.args(["--mode", self.mode.option(), "--", &self.program()]);
        let child = shim.cwd(text).start();
        let confined =
            Actor::greet(child, self.world.user.uid, text.as_bytes()).map_err(|text| {
                Disagreement { verdict: None, text: format!("it did not start: {text}") }
            })?;
        let bare = Actor::bare(self.world, Path::new(&self.program()), bare_top);
        let process = confined.process(Who::Worker(0));
        let pins = needs::pins(&law, &process, &split(text.as_bytes()));
        Ok(Run { confined, bare, law, pins })
    }
}

impl Pair<'_> {
    /// Plays until there is nothing more, and ends the runs.
    fn play(
        mut self,
        mut next: impl FnMut(&Pair<'_>) -> Option<Operation>,
    ) -> Result<Counts, Disagreement> {
        let mut result = Ok(());
        while let (Ok(()), Some(operation)) = (&result, next(&self)) {
            result = self.step(&operation);
        }
        let result = result.and_then(|()| self.compare_trees());
        let mut words = String::new();
        for run in self.runs {
            words.push_str(&run.confined.last_words());
            run.bare.last_words();
        }
        result.map(|()| self.counts).map_err(|mut disagreement| {
            if disagreement.verdict.is_none() {
                disagreement.text.push_str(&words);
            }
            disagreement
        })
    }

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
        let acting = operation.who.run();
        if acting >= self.runs.len() {
            return Ok(());
        }
        if std::mem::replace(&mut self.last, acting) != acting {
            // To one run, the other is somebody outside.
            std::thread::sleep(Duration::from_millis(3));
        }
        let run = &self.runs[acting];
        let judge = Judge { law: &run.law, top: &top, top_text, pins: &run.pins };
        let process = run.confined.process(operation.who);
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
        let spared = judge.loses_programs(&process, operation);
        self.counts.operations += 1;
        let before = (may_deny || matches!(verdict, Verdict::Denied(_) | Verdict::Limited(_)))
            .then(|| self.stamps());
        self.stamps = None;
        let Some(confined) = self.runs[acting].confined.act(operation) else {
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
                self.runs[acting].bare.act(&made);
                return self.compare_trees();
            }
            if before.as_ref() != Some(&after) {
                return disagrees(format!("the tree changed, with {}", tell(&confined)));
            }
            self.stamps = Some(after);
            self.counts.limited += u64::from(!matches!(verdict, Verdict::Denied(_)));
            return Ok(());
        }
        let Some(bare) = self.runs[acting].bare.act(operation) else {
            return Err(Disagreement {
                verdict: None,
                text: "no answer without the shim: ".to_owned(),
            });
        };
        if confined != bare {
            return disagrees(format!("confined {}, bare {}", tell(&confined), tell(&bare)));
        }
        if bare.errno == 0 {
            self.lose_modes(&spared);
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

    /// "the file loses the mode that lets it be executed": the bare twin's loses it too, if the confined one did.
    fn lose_modes(&self, paths: &[Vec<Name>]) {
        let depth = split(self.tops[0].as_os_str().as_bytes()).len();
        let mode = |path: &Path| {
            let found = fs::symlink_metadata(path).ok().filter(fs::Metadata::is_file)?;
            Some(found.permissions().mode())
        };
        for path in paths {
            let [one, other] = self.tops.map(|top| tree::at(top, &path[depth..].join(&b'/')));
            if let (Some(confined), Some(bare)) = (mode(&one), mode(&other))
                && confined == bare & !0o111
            {
                fs::set_permissions(&other, fs::Permissions::from_mode(confined)).unwrap();
            }
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
