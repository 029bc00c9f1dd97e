//! What the owner runs later: real package managers under the built-in default, and then the owner's own use of them.
//!
//! Each is played in a home in which the owner has used it before. The confined command installs a package and runs
//! it, does so again in a second run without the registry, and then overwrites whatever it can. Nothing of the owner's
//! may have changed, and nothing that the owner runs afterwards may come from where the target can still write.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use crate::programs::bare;
use crate::programs_build::toolchain;
use crate::support::{World, for_every_user};

/// What the confined command overwrites, given a list of paths: it prints each that it could.
const OVERWRITE: &str = r#"
while IFS= read -r -d '' path; do
    if [ -d "$path" ]; then { : > "$path/planted"; } 2>/dev/null && printf '%s\n' "$path/planted"
    else { echo planted > "$path"; } 2>/dev/null && printf '%s\n' "$path"; fi
done < ~/work/targets
rm ~/work/targets
[ $# -gt 0 ] || { echo 0; exit; }
find "$@" -type d -exec chmod u+w {} +
find "$@" -type f -exec chmod u+w {} + -exec sh -c 'for file; do echo planted > "$file"; done' sh {} +
find "$@" -type f -size +0 | wc -l"#;

/// The ways to install and to run, with `$registry` as the address of the registry and `$tools` as what is there of
/// programs that Debian has not. Each is a script of bash in a directory of its own.
struct Manager<'a> {
    /// Makes a project, installs its packages and prints what it says when it runs.
    install: &'a str,
    /// The same without a registry, from the cache alone; empty where the tool keeps none between two runs.
    again: &'a str,
    /// Runs what is installed in the project.
    run: &'a str,
    /// What the project prints.
    says: &'a str,
}

impl Manager<'_> {
    #[track_caller]
    fn leaves_nothing_that_the_owner_runs_later(&self) {
        self.leaves_nothing_in(|_| {});
    }

    #[track_caller]
    fn leaves_nothing_in(&self, furnish: impl Fn(&World)) {
        for_every_user(|world| {
            furnish(&world);
            let registry = Registry::start(&world);
            for directory in ["theirs", "work/app", "work/again", "next"] {
                world.mkdir(&format!("~/{directory}"));
            }
            let setting = registry.setting();
            self.says(&world, &setting, "~/theirs", self.install);
            let before = contents(&world);
            self.is_said_confined(&world, &setting, "~/work/app", self.install);
            drop(registry);
            if !self.again.is_empty() {
                self.is_said_confined(&world, &setting, "~/work/again", self.again);
            }
            nothing_shared(&world);
            let planted = overwrite(&world);
            assert!(planted > 0 || self.again.is_empty(), "its own cache, the neighbour");
            assert!(before == contents(&world), "uid {}", world.user.uid);
            // What is installed in the workspace is the workspace's own, and runs without the overwritten cache.
            self.says(&world, &setting, "~/work/app", self.run);
            self.says(&world, &setting, "~/theirs", self.run);
            if !self.again.is_empty() {
                self.says(&world, &setting, "~/next", self.again);
            }
        });
    }

    /// The owner runs it, outside.
    #[track_caller]
    fn says(&self, world: &World, setting: &str, directory: &str, script: &str) {
        let script = format!("{setting}cd {} && {script}", world.text(directory));
        let output = bare(world, &script);
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(said.trim_end().ends_with(self.says), "outside, {directory}: {output:#?}");
    }

    #[track_caller]
    fn is_said_confined(&self, world: &World, setting: &str, directory: &str, script: &str) {
        let script = format!("{setting}cd {} && {script}", world.text(directory));
        let tools = format!("{}:rx", tools().display());
        let packages = world.text("{root}/registry:r");
        let shim = world.shim_with(["-q", "--allow", &world.text("~/work")]);
        let shim = shim.args(["--allow", &tools, "--allow", &packages]);
        let ran = shim.command(["bash", "-c", &script]);
        assert!(ran.stdout.trim_end().ends_with(self.says), "confined, {directory}: {ran:#?}");
    }
}

/// The confined command overwrites what it can, and plants a file in each directory: of the owner's, nothing. How many
/// files of its own caches it could?
#[track_caller]
fn overwrite(world: &World) -> usize {
    let owners = contents(world);
    let directories: BTreeSet<&Path> = owners.keys().filter_map(|path| path.parent()).collect();
    let targets = owners.keys().map(PathBuf::as_path).chain(directories);
    let targets: Vec<String> = targets.map(|path| format!("{}\0", path.display())).collect();
    assert!(targets.len() > 10, "{targets:?}");
    world.write("~/work/targets", targets.concat());
    let own = fs::read_dir(world.path("~/.cache/clawguard")).into_iter().flatten();
    let own = own.map(|entry| entry.unwrap().path().into_os_string());
    let command = ["bash", "-c", OVERWRITE, "bash"].map(OsString::from);
    let ran = world.shim_with(["-q"]).command(command.into_iter().chain(own));
    let mut lines: Vec<&str> = ran.stdout.lines().collect();
    let planted: usize = lines.pop().unwrap().trim().parse().unwrap();
    assert_eq!(lines, [""; 0], "{ran:#?}");
    planted
}

/// What is in the home directory and belongs to the owner alone.
fn contents(world: &World) -> BTreeMap<PathBuf, Vec<u8>> {
    let home = world.home();
    let others = [home.join("work"), home.join(".cache/clawguard"), home.join(".local/state")];
    let mut found = BTreeMap::new();
    let mut open = vec![home];
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if others.contains(&path) || path.ends_with(".rustup") {
                continue;
            }
            let metadata = path.symlink_metadata().unwrap();
            if metadata.is_dir() {
                open.push(path);
            } else {
                let bytes = if metadata.is_file() { fs::read(&path).unwrap() } else { Vec::new() };
                found.insert(path, bytes);
            }
        }
    }
    found
}

/// No file of the workspace has a second name, and no link leads out of it to where another run may write.
#[track_caller]
fn nothing_shared(world: &World) {
    let caches = world.path("~/.cache");
    for path in world.tree("~/work") {
        let metadata = path.symlink_metadata().unwrap();
        let target = metadata.is_symlink().then(|| fs::canonicalize(&path).ok()).flatten();
        assert!(!target.is_some_and(|target| target.starts_with(&caches)), "{path:?}");
        if metadata.is_file() && metadata.nlink() > 1 {
            let inode = metadata.ino();
            let is_same = |other: &PathBuf| other.symlink_metadata().unwrap().ino() == inode;
            assert!(!world.tree("~/.cache").iter().any(is_same), "{path:?}");
        }
    }
}

/// The registry of `caches/registry.py`. It ends when this is dropped.
struct Registry {
    process: Child,
    port: String,
    directory: PathBuf,
}

impl Registry {
    fn start(world: &World) -> Registry {
        let script =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/supervisor/caches/registry.py");
        let directory = world.root().join("registry");
        let mut command = Command::new("/usr/bin/python3");
        command.arg(script).arg(&directory).stdout(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let mut port = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut port).unwrap();
        Registry { process, port: port.trim().to_owned(), directory }
    }

    /// What every script begins with.
    fn setting(&self) -> String {
        format!(
            "set -e; export registry=http://127.0.0.1:{} packages={} tools={}\n",
            self.port,
            self.directory.display(),
            tools().display()
        )
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

/// pnpm, yarn, bun and uv, which Debian does not have: installed once, into a cache that every user can read.
fn tools() -> &'static Path {
    static TOOLS: OnceLock<PathBuf> = OnceLock::new();
    TOOLS.get_or_init(|| {
        let script =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/supervisor/caches/tools.sh");
        let output = Command::new("bash").arg(script).stderr(Stdio::inherit()).output().unwrap();
        assert!(output.status.success(), "{output:#?}");
        PathBuf::from(String::from_utf8(output.stdout).unwrap().trim_end())
    })
}

/// A project of npm's registry in a directory of its own, and where the registry is.
const PROJECT: &str = r#"
export npm_config_registry=$registry/npm pnpm_config_registry=$registry/npm BUN_CONFIG_REGISTRY=$registry/npm
export npm_config_audit=false npm_config_fund=false npm_config_update_notifier=false
export YARN_REGISTRY=$registry/npm YARN_NPM_REGISTRY_SERVER=$registry/npm YARN_UNSAFE_HTTP_WHITELIST=127.0.0.1
export YARN_ENABLE_TELEMETRY=0
printf '{"name":"app","version":"1.0.0","dependencies":{"tool":"^2.0.0"}}' > package.json
"#;

/// A manager of packages for node: how it installs, and how it does without a registry.
#[track_caller]
fn node(install: &str, again: &str) {
    const RUN: &str = "node_modules/.bin/tool";
    const YARN: &str = "node -r ./.pnp.cjs -e 'require(\"tool/t.js\")'";
    let run = if install.contains("yarn4") { YARN } else { RUN };
    let script = |install: &str| format!("{PROJECT}{install}\n{run}");
    let again = if again.is_empty() { String::new() } else { script(again) };
    let install = script(install);
    Manager { install: &install, again: &again, run, says: "tool with dep" }
        .leaves_nothing_that_the_owner_runs_later();
}

#[test]
fn nothing_in_the_owners_cache_of_npm_is_changed() {
    node(
        "npm install --silent; npx --yes tool",
        "npm install --silent --offline; npx --yes --offline tool",
    );
}

/// Case 19: a store whose files are hard links into every project.
#[test]
fn nothing_in_the_owners_store_of_pnpm_10_is_changed() {
    let pnpm = "node $tools/pnpm10/node_modules/pnpm/bin/pnpm.cjs install --silent";
    node(pnpm, &format!("cp ~/work/app/pnpm-lock.yaml .; {pnpm} --offline --frozen-lockfile"));
}

#[test]
fn nothing_in_the_owners_store_of_pnpm_12_is_changed() {
    let pnpm = "$tools/pnpm12/pnpm";
    node(
        &format!("{pnpm} dlx --silent tool; {pnpm} install --silent; test ! -e .pnpm-store"),
        &format!("{pnpm} install --silent --offline"),
    );
}

/// Yarn 1 keeps no cache between two confined runs.
#[test]
fn nothing_in_the_owners_cache_of_yarn_1_is_changed() {
    node("node $tools/yarn1/node_modules/yarn/bin/yarn.js install --silent", "");
}

#[test]
fn nothing_in_the_owners_cache_of_yarn_4_is_changed() {
    let yarn = "node $tools/yarn4/node_modules/@yarnpkg/cli-dist/bin/yarn.js install";
    node(yarn, &format!("cp ~/work/app/yarn.lock .; YARN_ENABLE_NETWORK=0 {yarn}"));
}

#[test]
fn nothing_in_the_owners_cache_of_bun_is_changed() {
    let bun = "$tools/bun/bun install --silent";
    node(bun, &format!("cp ~/work/app/bun.lock .; {bun}"));
}

/// Case 12: build scripts of unpacked crates, which cargo never looks at again.
#[test]
fn a_crate_that_cargo_unpacked_for_the_owner_stays_as_it_is() {
    let install = r#"export PATH=$HOME/.rustup/toolchains/own/bin:$PATH
mkdir -p .cargo src; printf '[source.crates-io]\nreplace-with = "own"\n[source.own]\nregistry = "sparse+%s/cargo/index/"\n' $registry > .cargo/config.toml
printf '[package]\nname = "app"\nversion = "0.1.0"\nedition = "2021"\n[dependencies]\ndep = "1"\n' > Cargo.toml
echo 'fn main() { println!("{}", dep::DEP) }' > src/main.rs; cargo run -q"#;
    let again = install.replace("cargo run -q", "cargo run -q --offline");
    let manager = Manager {
        install,
        again: &again,
        run: "PATH=$HOME/.rustup/toolchains/own/bin:$PATH; rm -rf target; cargo run -q --offline",
        says: "dep",
    };
    manager.leaves_nothing_in(toolchain);
}

/// Case 13: wheels that pip built once and installs again.
#[test]
fn a_wheel_that_pip_built_for_the_owner_stays_as_it_is() {
    let install = "/usr/bin/python3 -m venv --without-pip v && $tools/python/bin/pip --python v -q --disable-pip-version-check install --no-index --find-links $packages/python dep && v/bin/python -c 'import dep; print(dep.DEP)'";
    Manager {
        install,
        again: install,
        run: "v/bin/python -c 'import dep; print(dep.DEP)'",
        says: "dep",
    }
    .leaves_nothing_that_the_owner_runs_later();
}

/// An environment's files are hard links into uv's cache, unless they are copied.
#[test]
fn nothing_in_the_owners_cache_of_uv_is_changed() {
    let install = |offline: &str| {
        format!(
            "uv() {{ $tools/python/bin/uv -q \"$@\"; }}; uv venv --python /usr/bin/python3 v
            uv pip install --python v {offline} --no-index --find-links $packages/python dep
            v/bin/python -c 'import dep; print(dep.DEP)'"
        )
    };
    let (install, again) = (install(""), install("--offline"));
    let run = "v/bin/python -c 'import dep; print(dep.DEP)'";
    Manager { install: &install, again: &again, run, says: "dep" }
        .leaves_nothing_that_the_owner_runs_later();
}

#[test]
fn nothing_in_the_owners_caches_of_go_is_changed() {
    let install = r#"export GOPROXY=$registry/go GONOSUMDB='*' GOFLAGS='-mod=mod -modcacherw'
printf 'module example.org/app\n\ngo 1.19\n\nrequire example.org/dep v1.0.0\n' > go.mod
printf 'package main\n\nimport "example.org/dep"\n\nfunc main() { println(dep.Dep); print() }\n' > main.go
go run . 2>&1"#;
    let again = install.replace("GOPROXY=$registry/go", "GOPROXY=off");
    let run = "GOPROXY=off go run . 2>&1";
    Manager { install, again: &again, run, says: "dep" }.leaves_nothing_that_the_owner_runs_later();
}
