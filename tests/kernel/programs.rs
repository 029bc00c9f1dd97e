//! Programs that people run all day, under the default presets, doing what they do.

use crate::support::{Ran, World, for_every_user};

fn run(world: &World, command: &[&str]) -> Ran {
    world.write("~/policy.yaml", "security: { file_access: { allowed_paths: ['~/work'] } }");
    world.confined().command(command)
}

fn bash(world: &World, script: &str) -> Ran {
    run(world, &["bash", "-c", &format!("set -e\n{script}")])
}

#[test]
fn bash_uses_pipes_here_documents_and_process_substitution() {
    for_every_user(|world| {
        let script = "cat <<< here; paste <(echo a) <(echo b); x=$(printf '%s' sub); echo $x | tr a-z A-Z
            for i in 1 2 3; do echo $i; done > list; wc -l < list; [ -r list ] && echo r; ! cat ~/secret/key 2>/dev/null";
        let ran = bash(&world, script).works();
        assert_eq!(ran.stdout, "here\na\tb\nSUB\n3\nr\n");
    });
}

#[test]
fn python_uses_files_processes_and_threads() {
    for_every_user(|world| {
        let script = "
import subprocess, threading, multiprocessing, sqlite3, tempfile, json, socket, ssl, pathlib, os
print(subprocess.run(['echo', 'child'], capture_output=True, text=True, check=True).stdout.strip())
print(subprocess.run('echo null', shell=True, stdout=subprocess.DEVNULL).returncode)
seen = []
threads = [threading.Thread(target=seen.append, args=(i,)) for i in range(4)]
[t.start() for t in threads]; [t.join() for t in threads]; print(sorted(seen))
a, b = multiprocessing.Pipe()
p = multiprocessing.get_context('fork').Process(target=lambda: b.send('process')); p.start(); print(a.recv()); p.join(); print(p.exitcode)
db = sqlite3.connect('data.db'); db.execute('create table t (x)'); db.execute('insert into t values (7)'); db.commit()
print(db.execute('select x from t').fetchone()[0]); db.execute('pragma journal_mode=wal'); db.execute('insert into t values (8)'); db.commit(); db.close()
with tempfile.NamedTemporaryFile() as f: print(os.path.dirname(f.name) == os.environ['TMPDIR'])
s = socket.create_server(('127.0.0.1', 0)); c = socket.create_connection(s.getsockname()); s.accept()[0].send(b'net'); print(c.recv(3).decode())
try: pathlib.Path.home().joinpath('secret/key').read_text()
except PermissionError as e: print(e.errno)
";
        let ran = run(&world, &["/usr/bin/python3", "-c", script]).works();
        assert_eq!(
            ran.stdout, "child\n0\n[0, 1, 2, 3]\nprocess\n0\n7\nTrue\nnet\n13\n",
            "{ran:#?}"
        );
    });
}

#[test]
fn node_uses_files_children_workers_and_http() {
    for_every_user(|world| {
        let script = "
const fs = require('fs'), http = require('http'), os = require('os'), { execSync, spawn } = require('child_process');
const { Worker } = require('worker_threads');
fs.mkdirSync('a/b', { recursive: true }); fs.writeFileSync('a/b/c', 'file'); console.log(fs.readFileSync('a/b/c', 'utf8'));
fs.renameSync('a/b/c', 'a/d'); fs.cpSync('a', 'e', { recursive: true }); fs.rmSync('a', { recursive: true }); console.log(fs.readdirSync('e').join());
try { fs.readFileSync(os.homedir() + '/secret/key') } catch (error) { console.log(error.code) }
try { fs.mkdirSync('/usr/nothing/here', { recursive: true }) } catch (error) { console.log(error.code) }
console.log(execSync('echo child').toString().trim(), os.userInfo().uid, os.cpus().length > 0);
new Worker('require(\"worker_threads\").parentPort.postMessage(\"worker\")', { eval: true }).on('message', (message) => {
  console.log(message);
  const server = http.createServer((request, response) => response.end('http')).listen(0, 'localhost', () =>
    fetch('http://localhost:' + server.address().port).then((answer) => answer.text()).then((text) => { console.log(text); server.close() }));
});";
        let ran = run(&world, &["node", "-e", script]).works();
        let uid = world.user.uid;
        assert_eq!(
            ran.stdout,
            format!("file\nb,d\nEACCES\nEACCES\nchild {uid} true\nworker\nhttp\n"),
            "{ran:#?}"
        );
    });
}

#[test]
fn git_makes_clones_branches_and_collects_repositories() {
    for_every_user(|world| {
        world.write(
            "~/.gitconfig",
            "[user]\n\tname = A\n\temail = a@example.org\n[init]\n\tdefaultBranch = main\n",
        );
        let script = "git init -q repo; cd repo; echo one > f; git add f; git commit -qm one; git branch side; git checkout -q side
            echo two >> f; git commit -qam two; git checkout -q main; git merge -q side; git gc -q; cd ..; git clone -q repo clone
            cd clone; git log --format=%s; git status --short; git stash list; git worktree add -q ../tree; git -C ../tree log --format=%an -1
            ! git config --global user.name B 2>/dev/null";
        let ran = bash(&world, script).works();
        assert_eq!(ran.stdout, "two\none\nA\n", "{ran:#?}");
    });
}

#[test]
fn a_compiler_compiles_and_its_program_runs() {
    for_every_user(|world| {
        world.write(
            "~/work/hello.c",
            "#include <stdio.h>\nint main(void) { puts(\"compiled\"); }\n",
        );
        world.write("~/work/Makefile", "hello: hello.o\n\tcc -o $@ $<\n%.o: %.c\n\tcc -c -o $@ $<\nclean:\n\trm -f hello *.o\n");
        let ran = bash(&world, "make -s -j2 && ./hello && make -s clean && ls").works();
        assert_eq!(ran.stdout, "compiled\nMakefile\nhello.c\nnote\n", "{ran:#?}");
    });
}

#[test]
fn tar_packs_and_unpacks() {
    for_every_user(|world| {
        world.write("~/work/tree/deep/file", "packed");
        world.symlink("deep/file", "~/work/tree/link");
        let ran = bash(&world, "tar czf t.tgz tree; mkdir out; tar xzf t.tgz -C out; cat out/tree/link; cp -a tree copy; rm -r tree; ls copy").works();
        assert_eq!(ran.stdout, "packeddeep\nlink\n", "{ran:#?}");
    });
}

#[test]
fn tools_that_only_report_themselves_start() {
    for_every_user(|world| {
        run(&world, &["npm", "--version"]).works();
        run(&world, &["ssh", "-V"]).works().says(["OpenSSH"]);
        run(&world, &["sqlite3", "-version"]).works();
        run(&world, &["ps", "-o", "pid="]).works();
        run(&world, &["curl", "--version"]).works();
    });
}

/// TIOCGPTPEER opens the new terminal in /dev/pts, and Landlock cannot tell it from the owner's others, which the
/// policy does not allow: in kernel mode there is none. The supervisor hands the new one over, and knows it by its name
/// (the owner's others are in `terminals`).
#[test]
fn a_pseudo_terminal_can_be_made_with_a_supervisor_and_opened_by_its_name() {
    for_every_user(|world| {
        let script = "import os, pty\nopen('/dev/ptmx', 'r+b', 0)\ntry:\n  a, b = pty.openpty()\n  os.write(b, b'x'); print(os.read(a, 1), os.isatty(b))\nexcept OSError as error: print(error)
try: print(open(os.ttyname(b), 'r+b', 0).isatty())\nexcept Exception as error: print(type(error).__name__)";
        let command = ["/usr/bin/python3", "-c", script];
        let ran = run(&world, &command).works();
        assert_eq!(ran.stdout, "b'x' True\nTrue\n");
        let ran = world.confined().args(["--mode", "kernel"]).command(command).works();
        assert_eq!(ran.stdout, "out of pty devices\nNameError\n");
    });
}
