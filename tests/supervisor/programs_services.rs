//! git, databases, key agents, and servers with processes and threads of their own.

use crate::programs::Script;

#[test]
fn git_makes_clones_rebases_stashes_and_collects_repositories() {
    let script = r#"
set -e
git init -q repo; cd repo
printf '.env\n' > .gitignore; echo one > f; mkdir -p d/e; echo two > d/e/g; git add -A
git commit -qm one
echo SECRET=x > .env; cp ../nested/../repo/f d/.env
git branch side; git checkout -q side; echo three >> f; git commit -qam two; git checkout -q main
echo four > h; git add h; git commit -qm three; git rebase -q side; git log --format='%h %s'
echo dirty >> f; git stash -q; git status --short; git stash pop -q; git status --short
git checkout -q f
git worktree add -q ../tree side; echo five > ../tree/n; git -C ../tree add n
git -C ../tree commit -qm four; git worktree list --porcelain | grep -c worktree
git merge -q side -m merge; git gc -q; git fsck --strict; git worktree remove ../tree
git worktree prune
cd ..; git clone -q repo clone; git -C clone config user.name B; git clone -q --bare repo bare.git
git clone -q "file://$PWD/repo" clone2
cd clone; git mv d dd; git rm -q h; git commit -qm five; git push -q ../bare.git main
git log --stat --format='%h %an %s'; git tag -a t -m t; git describe
git format-patch -q -1 -o ../patches; git reset -q --hard HEAD~1; git am -q ../patches/*
git revert --no-edit HEAD >/dev/null; git bisect start HEAD HEAD~3 >/dev/null 2>&1
git bisect reset >/dev/null 2>&1
git archive HEAD | tar t
git submodule -q add ../bare.git sub 2>&1 || git -c protocol.file.allow=always submodule -q add ../bare.git sub
git commit -qm sub; cat .gitmodules; git grep -n one || true; git clean -fdxq; git rev-parse HEAD"#;
    Script::new(script).unlike(&["/index", ".mtimes"]).runs_as_if_bare();
}

/// Its `hooks` and `config` are blocked for writing, so nothing here changes a setting or forgets a branch.
#[test]
fn git_works_in_the_repository_that_it_was_started_in() {
    let script = "
set -e
git status --short; echo two >> f; git commit -qam two; git checkout -q side; echo x > g; git add -A
git commit -qm three; git rebase -q main
git log --format='%h %s'; echo dirty > g; git stash -q; git stash pop -q; git diff --stat
git commit -qam four; git checkout -q main; git merge -q side
git worktree add -q wt -b w; cd wt; echo w > w; git add w; git commit -qm five; cd ..
git worktree remove wt; git gc -q; git fsck; git clean -ndx; git log --oneline --all
git rebase -q --root --exec 'true'; git reset -q --hard HEAD~1; git reflog | wc -l
git cherry-pick -n side; git notes add -m n; git update-ref refs/x HEAD; git pack-refs --all
ls .git";
    Script::new(script)
        .before(r#"git init -q; printf '.env\n' > .gitignore; echo one > f; git add f .gitignore; git commit -qm one; git branch side"#)
        .unlike(&["/index", ".mtimes"]).runs_as_if_bare();
}

#[test]
fn several_processes_write_one_sqlite_database_with_a_write_ahead_log() {
    let script = r#"
set -e
sqlite3 db 'pragma journal_mode=wal; create table t(x integer primary key, who text);'
for i in 1 2 3 4; do (for j in $(seq 1 15); do sqlite3 -cmd '.timeout 60000' db "insert into t(who) values('$i')" ; done) & done; wait
sqlite3 db 'select who, count(*) from t group by who order by who; pragma integrity_check; pragma wal_checkpoint(truncate);'
/usr/bin/python3 -c '
import sqlite3, os
db = sqlite3.connect("db", timeout=60); r = sqlite3.connect("db", timeout=60)
db.execute("begin immediate"); db.execute("insert into t(who) values(9)")
print(r.execute("select count(*) from t").fetchone()); db.commit(); print(r.execute("select count(*) from t").fetchone())
kids=[]
for i in range(3):
    pid=os.fork()
    if pid==0:
        c=sqlite3.connect("db", timeout=60)
        for j in range(10): c.execute("insert into t(who) values(?)",(str(i),)); c.commit()
        os._exit(0)
    kids.append(pid)
print([os.waitpid(k,0)[1] for k in kids]); print(r.execute("select count(*) from t").fetchone())
print(r.execute("create table big as with recursive n(i) as (select 1 union all select i+1 from n where i<20000) select i, hex(randomblob(20)) h from n").rowcount)
print(len(r.execute("select * from big order by h").fetchall())); r.commit()
'
sqlite3 db 'vacuum; pragma journal_mode=delete;'; sqlite3 db .dump | grep -c INSERT
sqlite3 db "vacuum into 'copy'"; sqlite3 db '.backup b'; rm copy b; ls"#;
    Script::new(script).unlike(&["work/db"]).runs_as_if_bare();
}

#[test]
fn an_ssh_agent_serves_keys_from_a_socket_in_the_workspace() {
    let script = r#"
set -e
ssh-keygen -q -t ed25519 -N '' -C me -f key; stat -c %a key key.pub
ssh-keygen -y -f key | cmp - <(cut -d' ' -f1,2,3 key.pub) && echo pair
ssh-keygen -q -p -P '' -N pw5chars -f key; ssh-keygen -q -p -P pw5chars -N '' -f key
ssh-keygen -l -f key.pub | awk '{print $1,$3,$4}'
eval "$(ssh-agent -a "$PWD/agent")" >/dev/null; test -S agent; ssh-add -q key
ssh-add -l | awk '{print $1,$3,$4}'; ssh-add -L | cmp - key.pub && echo listed; echo text > doc
ssh-keygen -q -Y sign -f key.pub -n file doc 2>/dev/null
ssh-keygen -Y check-novalidate -n file -s doc.sig < doc | awk '{print $1,$2}'; rm doc.sig
ssh-add -qD; ssh-add -l || echo $?; ssh-agent -k >/dev/null
eval "$(ssh-agent)" >/dev/null; ssh-add -q key; ssh-add -l | wc -l; ssh-agent -k >/dev/null
ssh-agent bash -c 'ssh-add -q key; ssh-add -l | wc -l'; ssh-keygen -q -t ecdsa -N '' -f key2
ssh-keygen -q -s key -I id -n user key2.pub; ssh-keygen -L -f key2-cert.pub | grep -c Principals
ssh-keygen -R nohost -f known 2>/dev/null || echo $?
ssh -G host -F /dev/null | grep -c identityfile; ls; [ -e agent ] || echo gone"#;
    Script::new(script).unlike(&["work/key", "work/known"]).runs_as_if_bare();
}

#[test]
fn node_serves_http_with_threads_clusters_watchers_and_children() {
    let script = r#"
set -e
cat > server.js <<'E'
const http = require('http'), fs = require('fs'), path = require('path'), zlib = require('zlib'), { Worker, isMainThread, parentPort, workerData } = require('worker_threads'), cluster = require('cluster'), cp = require('child_process');
if (!isMainThread) { parentPort.postMessage(workerData + fs.readFileSync(__filename).length); return; }
if (cluster.isWorker) { http.createServer((q, a) => a.end('worker')).listen(0, '127.0.0.1', function () { process.send(this.address().port) }); return; }
const get = (port, p = '/') => fetch(`http://127.0.0.1:${port}${p}`).then((r) => r.text());
(async () => {
  const s = http.createServer((q, a) => fs.createReadStream(path.join('www', q.url)).on('error', (e) => a.end(e.code)).pipe(a)).listen(0, 'localhost');
  await new Promise((r) => s.on('listening', r));
  fs.mkdirSync('www/a/b', { recursive: true }); fs.writeFileSync('www/x', 'x'.repeat(100000));
  console.log((await (await fetch(`http://localhost:${s.address().port}/x`)).text()).length, await (await fetch(`http://localhost:${s.address().port}/none`)).text());
  s.close(); s.closeAllConnections();
  console.log((await Promise.all([1, 2, 3].map((i) => new Promise((r, f) => new Worker(__filename, { workerData: i * 100000 }).on('message', r).on('error', f))))).length);
  const ports = await Promise.all([1, 2].map(() => new Promise((r) => cluster.fork().on('message', r))));
  console.log(await get(ports[0]), await get(ports[1])); await new Promise((r) => cluster.disconnect(r));
  const u = http.createServer((q, a) => a.end('unix')).listen('sock');
  await new Promise((r) => u.on('listening', r));
  console.log(await new Promise((r) => http.get({ socketPath: 'sock' }, (m) => m.on('data', (d) => r(String(d))))));
  u.close();
  const w = fs.watch('www'), seen = new Promise((r) => w.on('change', (e, n) => r(n)));
  fs.writeFileSync('www/watched', ''); console.log(await seen); w.close();
  console.log(cp.execSync('cat; exit 0', { input: 'sync' }).toString(), cp.spawnSync('sh', ['-c', 'exit 3']).status);
  console.log(await new Promise((r) => cp.exec('node -p 1+1', (e, o) => r(o.trim()))));
  fs.writeFileSync('a.gz', zlib.gzipSync('gz'));
  console.log(zlib.gunzipSync(fs.readFileSync('a.gz')).toString()); fs.rmSync('a.gz');
  await fs.promises.cp('www', 'copy', { recursive: true, preserveTimestamps: true });
  fs.renameSync('copy', 'moved'); fs.symlinkSync('moved', 'l');
  console.log(fs.realpathSync('l') === path.resolve('moved'), fs.readdirSync('l', { recursive: true }).sort().join());
  fs.rmSync('moved', { recursive: true, force: true });
  const d = fs.mkdtempSync(path.join(require('os').tmpdir(), 'x-')); fs.writeFileSync(d + '/f', '1');
  fs.copyFileSync(d + '/f', 'copied'); fs.chmodSync('copied', 0o600); fs.utimesSync('copied', 1, 1);
  fs.accessSync('copied', fs.constants.R_OK | fs.constants.W_OK); console.log(fs.statSync('copied').mtimeMs);
  fs.rmSync(d, { recursive: true }); const h = await fs.promises.open('log', 'a'); await h.appendFile('x');
  await h.sync(); await h.truncate(0); await h.close(); fs.writeFileSync('fresh.env', 'A=1');
  fs.mkdirSync('conf'); fs.writeFileSync('conf/.env', 'A=1'); fs.unlinkSync('l');
})();
E
node server.js; echo 'export default 5' > m.mjs
node --input-type=module -e 'import x from "./m.mjs"; console.log(x)'
node --env-file=fresh.env -p process.env.A; ls -A"#;
    Script::new(script).runs_as_if_bare();
}

#[test]
fn python_uses_asyncio_multiprocessing_terminals_and_shared_memory() {
    let script = r#"
cat > m.py <<'E'
import asyncio, multiprocessing as mp, subprocess, sys, os, concurrent.futures as cf, threading, socket, tempfile, signal, pty, select, ctypes, mmap
from multiprocessing import shared_memory
def sq(x): return x * x
def put(q, i): q.put(i)
async def main():
    p = await asyncio.create_subprocess_exec('cat', stdin=-1, stdout=-1)
    print((await p.communicate(b'async'))[0])
    p = await asyncio.create_subprocess_shell('echo a; exit 4', stdout=-1)
    print((await p.communicate())[0], p.returncode)
    async def serve(r, w): w.write(await r.readline()); await w.drain(); w.close()
    s = await asyncio.start_server(serve, '127.0.0.1', 0)
    r, w = await asyncio.open_connection(*s.sockets[0].getsockname()); w.write(b'tcp\n')
    print(await r.read()); w.close(); s.close()
    s = await asyncio.start_unix_server(serve, 'sock')
    r, w = await asyncio.open_unix_connection('sock'); w.write(b'unix\n'); print(await r.read())
    w.close(); s.close(); print(os.path.exists('sock'))
    print(sorted(await asyncio.gather(*(asyncio.to_thread(sq, i) for i in range(5)))))
    loop = asyncio.get_running_loop()
    try: print(await loop.getaddrinfo('localhost', 80, family=socket.AF_INET, type=socket.SOCK_STREAM))
    except OSError as e: print(e)
if __name__ == '__main__':
    asyncio.run(main())
    for how in ('fork', 'spawn', 'forkserver'):
        c = mp.get_context(how)
        try:
            with c.Pool(2) as p: print(how, p.map(sq, range(5)))
            q = c.Queue(); ps = [c.Process(target=put, args=(q, i)) for i in range(3)]; [x.start() for x in ps]
            print(sorted(q.get() for _ in ps)); [x.join() for x in ps]
        except Exception as e: print(how, repr(e))
    with cf.ProcessPoolExecutor(2) as e: print(list(e.map(sq, range(4))))
    v = mp.Value('i', 3); a = mp.Array('d', [1, 2]); v.value += 1; print(v.value, list(a))
    s = shared_memory.SharedMemory(create=True, size=100); s.buf[0] = 7
    t = shared_memory.SharedMemory(name=s.name); print(t.buf[0]); t.close(); s.close(); s.unlink()
    print(subprocess.run(['sh', '-c', 'echo out; echo err >&2; kill -TERM $$'], capture_output=True)); print(subprocess.run('cat; false', shell=True, input=b'x' * 200000, capture_output=True).stdout.__len__()); print(subprocess.check_output([sys.executable, '-c', 'import os; print(os.getcwd() == os.environ["PWD"])'], text=True)); print(subprocess.run(['echo', 'closed'], close_fds=True, start_new_session=True, cwd='nested', stdout=subprocess.DEVNULL).returncode, subprocess.run(['true'], preexec_fn=lambda: os.umask(0), pass_fds=[1]).returncode)
    try: subprocess.run(['./nothing'])
    except OSError as e: print(e)
    try: m, s = pty.openpty(); os.write(s, b'tty\n'); print(os.read(m, 10), os.isatty(s), os.ttyname(s).startswith('/dev/pts/'))
    except OSError as e: print('pty', e)
    try: print(pty.spawn(['sh', '-c', 'tty | cut -c1-9; stty size; echo on a terminal'], lambda fd: os.read(fd, 1000)))
    except OSError as e: print('spawn', e)
    with tempfile.TemporaryDirectory() as d: open(d + '/x', 'w').write('x'); print(os.listdir(d))
    f = tempfile.TemporaryFile(); f.write(b'nameless'); f.seek(0); print(f.read())
    a, b = socket.socketpair(); a.send(b'pair'); print(b.recv(9)); fd = os.memfd_create('m')
    os.write(fd, b'mem'); print(open(f'/proc/self/fd/{fd}').read())
    socket.send_fds(a, [b'fd'], [os.open('m.py', os.O_RDONLY)]); msg, fds, *_ = socket.recv_fds(b, 9, 1)
    print(msg, os.read(fds[0], 6))
    th = threading.Thread(target=lambda: open('thread', 'w').write('t')); th.start(); th.join(); print(open('thread').read()); signal.signal(signal.SIGALRM, lambda *_: print('alarm')); signal.setitimer(signal.ITIMER_REAL, 0.05); signal.pause(); print(os.sched_getaffinity(0) == set(range(os.cpu_count())), os.nice(1)); import resource, pwd, locale, ssl, ctypes.util, mimetypes, webbrowser, readline, curses, dbm, shelve; print(pwd.getpwuid(os.getuid()).pw_name, ctypes.CDLL(None).getpid() == os.getpid(), mimetypes.guess_type('a.html')); d = shelve.open('shelf'); d['a'] = 1; d.close(); print(shelve.open('shelf')['a']); os.remove('shelf') if os.path.exists('shelf') else os.remove('shelf.db')
E
/usr/bin/python3 m.py; rm -rf shelf*"#;
    Script::new(script).runs_as_if_bare();
}

#[test]
fn a_unix_socket_tells_the_very_name_that_it_was_bound_to() {
    let script = r#"
/usr/bin/python3 -c '
import multiprocessing as mp
with mp.Manager() as m: d = m.dict(); d["x"] = 1; print(dict(d))
import socket, os, tempfile
s = socket.socket(socket.AF_UNIX); p = os.path.join(tempfile.mkdtemp(), "s"); s.bind(p); print(s.getsockname() == p)
s = socket.socket(socket.AF_UNIX); s.bind("s"); print(s.getsockname()); s = socket.socket(socket.AF_UNIX); s.bind(os.path.abspath("t")); print(s.getsockname() == os.path.abspath("t"))
s = socket.socket(socket.AF_UNIX); s.bind("nested/s"); print(s.getsockname())
'; ls"#;
    Script::new(script).runs_as_if_bare();
}

#[test]
fn curl_fetches_from_a_server_on_the_loopback_interface() {
    let script = r#"
set -e
mkdir www; seq 100000 > www/f; mkfifo ready
/usr/bin/python3 -u -c 'import http.server as h, os, functools
s = h.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(h.SimpleHTTPRequestHandler, directory="www")); print(s.server_port, flush=True); s.serve_forever()' > ready 2>/dev/null & read port < ready; rm ready
curl -sS "http://127.0.0.1:$port/f" | md5sum; curl -sS -o got "http://localhost:$port/f"
cmp got www/f && echo same; curl -sS -w '%{http_code}\n' -o /dev/null "http://127.0.0.1:$port/none"
curl -sSO "http://127.0.0.1:$port/f"; curl -sS -I "http://127.0.0.1:$port/f" | head -1
curl -sS -c jar -b jar -D head -o multi.1 "http://127.0.0.1:$port/f" -o multi.2 "http://127.0.0.1:$port/f"
rm head jar; curl -sSR -o dated -z 2020-01-01 "http://127.0.0.1:$port/f"
curl -sS file://$PWD/www/f | wc -l; curl -s http://127.0.0.1:1/ || echo $?
curl -sS --unix-socket none http://x/ 2>/dev/null || echo $?; exec 5<>/dev/tcp/127.0.0.1/$port
printf 'GET /f HTTP/1.0\r\n\r\n' >&5; head -1 <&5; kill %1; wait %1 || true
getent hosts localhost | awk '{print $2}'; getent passwd "$(id -u)" | cut -d: -f1; id -un
hostname | wc -l; ls"#;
    Script::new(script).runs_as_if_bare();
}
