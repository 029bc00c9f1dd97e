//! Compilers and package managers, without a network but the loopback interface.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::programs::Script;
use crate::support::World;

#[test]
fn make_compiles_links_and_archives_with_two_jobs() {
    let script = r#"
set -e
printf '#include <stdio.h>\n#include "a.h"\nint main(void){puts(word());return 3;}\n' > m.c
printf 'const char *word(void);\n' > a.h
printf '#include "a.h"\nconst char *word(void){return "made";}\n' > a.c
printf 'all: m liba.so\nm: m.o a.o\n\tcc -o $@ $^\n%%.o: %%.c a.h\n\tcc -g -c -o $@ $<\nliba.so: a.c\n\tcc -shared -fPIC -o $@ $<\nclean:\n\trm -f m *.o *.so\n.PHONY: all sub clean\nsub:\n\t+$(MAKE) -s clean\n\t+$(MAKE) -s all\n' > Makefile
make -s -j2; ./m && exit 9 || echo $?; touch a.h; make -j2 | sort; make -s -q && echo current
make -s -j2 sub; nm m | grep -c ' T '; cc -pipe -o x m.c a.c; ./x || true; ar rcs lib.a a.o m.o
ar t lib.a; strip x; ./x || true
cp m mm; chmod -x mm; ./mm || echo $?; chmod u+x mm; ./mm || echo $?; gcc -save-temps -c a.c; ls"#;
    Script::new(script).runs_as_if_bare();
}

#[test]
fn pip_builds_a_local_package_and_installs_it_into_a_virtual_environment() {
    let script = r#"
set -e
export PIP_DISABLE_PIP_VERSION_CHECK=1 SOURCE_DATE_EPOCH=1
/usr/bin/python3 -m venv venv; . venv/bin/activate; mkdir -p pkg
printf '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n[project]\nname = "mine"\nversion = "1.0"\n' > pkg/pyproject.toml
cat > pkg/backend.py <<'E'
import os, zipfile
def build_wheel(directory, config=None, metadata=None):
    name = 'mine-1.0-py3-none-any.whl'
    files = {'mine/__init__.py': 'def main():\n    print("mine runs")\n',
             'mine-1.0.dist-info/METADATA': 'Metadata-Version: 2.1\nName: mine\nVersion: 1.0\n',
             'mine-1.0.dist-info/WHEEL': 'Wheel-Version: 1.0\nGenerator: own\nRoot-Is-Purelib: true\nTag: py3-none-any\n',
             'mine-1.0.dist-info/entry_points.txt': '[console_scripts]\nmine = mine:main\n'}
    files['mine-1.0.dist-info/RECORD'] = ''.join(name + ',,\n' for name in [*files, 'mine-1.0.dist-info/RECORD'])
    with zipfile.ZipFile(os.path.join(directory, name), 'w') as wheel:
        for path, text in files.items(): wheel.writestr(path, text)
    return name
E
pip install -q --no-index ./pkg; mine; python -c 'import mine; mine.main()'
pip list --format=freeze | grep mine; pip wheel -q --no-index -w wheels ./pkg; ls wheels
rm -r wheels; pip uninstall -qy mine; deactivate
/usr/bin/python3 -m venv --without-pip --copies v2
v2/bin/python -c 'import sys; print(sys.prefix != sys.base_prefix)'
/usr/bin/python3 -m compileall -q pkg; ls pkg"#;
    Script::new(script).unlike(&[".pyc"]).runs_as_if_bare();
}

/// The registry is one of the script's own processes.
#[test]
fn npm_packs_installs_runs_and_removes_packages_of_a_registry_and_of_folders() {
    let script = r#"
set -e
mkdir -p lib tool app/scripts
printf '{"name":"lib","version":"1.2.3","main":"i.js"}' > lib/package.json
echo 'module.exports = () => "lib"' > lib/i.js
printf '{"name":"tool","version":"2.0.0","bin":{"tool":"t.js"},"scripts":{"postinstall":"node -e \\"require(\x27fs\x27).writeFileSync(\x27built\x27, \x27yes\x27)\\""},"dependencies":{"lib":"^1.0.0"}}' > tool/package.json
printf '#!/usr/bin/env node\nconsole.log(require("lib")(), "from tool", require("fs").existsSync(__dirname + "/built"))\n' > tool/t.js
(cd lib; npm pack --silent); (cd tool; npm pack --silent)
cat > registry.js <<'E'
const fs = require('fs'), crypto = require('crypto'); const packs = { lib: ['1.2.3', 'lib/lib-1.2.3.tgz'], tool: ['2.0.0', 'tool/tool-2.0.0.tgz'] };
const s = require('http').createServer((q, a) => { const n = q.url.slice(1).split('/')[0], p = packs[n]; if (!p) { a.statusCode = 404; return a.end('{}') } const bytes = fs.readFileSync(p[1]); if (q.url.endsWith('.tgz')) return a.end(bytes);
  const json = JSON.parse(fs.readFileSync(n + '/package.json')); a.setHeader('content-type', 'application/json'); a.end(JSON.stringify({ name: n, 'dist-tags': { latest: p[0] }, versions: { [p[0]]: { ...json, hasInstallScript: !!json.scripts, dist: { tarball: `http://127.0.0.1:${s.address().port}/${n}/-/${n}.tgz`, integrity: 'sha512-' + crypto.createHash('sha512').update(bytes).digest('base64') } } } })) }).listen(0, '127.0.0.1', () => fs.writeFileSync('port', String(s.address().port)));
E
mkfifo ready
sed -i "s/fs.writeFileSync('port', String(s.address().port))/console.log(s.address().port)/" registry.js
node registry.js > ready & read port < ready; rm ready
export npm_config_registry=http://127.0.0.1:$port npm_config_audit=false npm_config_fund=false npm_config_update_notifier=false npm_config_loglevel=error
cd app
printf '{"name":"app","version":"1.0.0","files":["scripts"],"scripts":{"start":"tool && node scripts/s.js","prestart":"echo pre"},"dependencies":{"tool":"^2.0.0"},"devDependencies":{"filed":"file:../filed"}}' > package.json
mkdir ../filed; printf '{"name":"filed","version":"0.0.1"}' > ../filed/package.json
echo 'console.log("script", process.env.npm_package_name)' > scripts/s.js; echo A=1 > .env
npm install --silent; npm start --silent; npm ls --all | sed 1d; npx --no-install tool
rm -rf node_modules; npm ci --silent; npm run --silent start; npm uninstall --silent tool
npm install --silent ../lib/lib-1.2.3.tgz; node -p 'require("lib")()'
npm pack --silent --dry-run | tail -1; kill %1; wait || true
sed -i "s/$port/PORT/" package-lock.json; ls -A"#;
    Script::new(script).unlike(&["node_modules/.package-lock.json"]).runs_as_if_bare();
}

#[test]
fn cargo_builds_tests_and_runs_crates_with_path_dependencies_and_build_scripts() {
    let script = r#"
set -e
export PATH=$HOME/.rustup/toolchains/own/bin:$PATH
cargo new -q --vcs none alone; cd alone; cargo run -q --offline; cargo build -q --offline
./target/debug/alone; printf '#[test]\nfn t() { assert_eq!(1, 1) }\n' >> src/main.rs
cargo test -q --offline 2>&1 | grep -o '1 passed'; rm -r target; cd ..
cargo new -q --vcs git withgit; git -C withgit status --short; mkdir two; cd two
cargo new -q --vcs none --lib dep; cargo new -q --vcs none app
printf '[workspace]\nmembers = ["app", "dep"]\nresolver = "2"\n' > Cargo.toml
printf 'dep = { path = "../dep" }\n' >> app/Cargo.toml
printf 'use std::{env, fs, path::Path, process::Command};\nfn main() { let out = env::var("OUT_DIR").unwrap(); fs::write(Path::new(&out).join("made.rs"), "pub const MADE: &str = \\"made\\";").unwrap(); assert!(Command::new("cc").arg("--version").output().unwrap().status.success()); println!("cargo::rerun-if-changed=build.rs"); }\n' > app/build.rs
printf 'include!(concat!(env!("OUT_DIR"), "/made.rs"));\nfn main() { println!("{MADE} {}", dep::add(2, 2)); }\n' > app/src/main.rs
echo SECRET=1 > app/.env; cargo build -q --offline; ./target/debug/app; touch app/src/main.rs
cargo build -q --offline --release; target/release/app; cargo clean -q
cargo metadata --offline --format-version 1 | wc -l; ls"#;
    Script::new(script).runs_as_if_bare_in(toolchain);
}

/// Rust where rustup keeps it, `~/.rustup/toolchains`: a home directory that is somebody else's may be closed. In /usr it
/// is in reach anyway.
pub(crate) fn toolchain(world: &World) {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let sysroot = Command::new(rustc).args(["--print", "sysroot"]).output().unwrap();
    let sysroot = PathBuf::from(String::from_utf8(sysroot.stdout).unwrap().trim_end());
    if sysroot == Path::new("/usr") {
        return;
    }
    let to = world.path("~/.rustup/toolchains/own");
    world.mkdir("~/.rustup/toolchains/own/lib/rustlib");
    let copy = "mkdir -p \"$2/bin\"; cp -al $1/bin/cargo $1/bin/rustc \"$2/bin\" && cp -al $1/lib/*.so* \"$2/lib\" &&
        for target in \"$1\"/lib/rustlib/*-*-*; do cp -al \"$target\" \"$2/lib/rustlib\" || exit; done";
    let copied = |copy: &str| {
        Command::new("sh")
            .args(["-c", copy, "sh"])
            .args([&sysroot, &to])
            .status()
            .unwrap()
            .success()
    };
    // Hard links where that can be, else 350 megabytes.
    assert!(copied(copy) || copied(&copy.replace("-al", "-a")));
}
