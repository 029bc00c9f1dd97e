# node: each section is a program of its own. `report` prints a value as JSON.
## fs.promises: files are written appended read and truncated
node --import ../report.mjs --input-type=module <<'N'
const p = fs.promises
await p.writeFile('a', 'one'); await p.appendFile('a', 'two'); report(await p.readFile('a', 'utf8'))
const h = await p.open('a', 'r+'); await h.write('X', 0); report((await h.read(Buffer.alloc(6), 0, 6, 0)).buffer.toString(), (await h.stat()).size)
await h.truncate(2); await h.sync(); await h.datasync(); await h.chmod(0o640); await h.utimes(10, 20); const s = await h.stat(); report(s.mode.toString(8), s.mtimeMs); await h.close()
await p.truncate('a', 1); report(await p.readFile('a', 'utf8')); await p.writeFile('a', 'flag', { flag: 'wx' }).catch((e) => report(e.code))
report(await p.readFile('none').catch((e) => e.message), await p.readFile('.').catch((e) => e.code), await p.open('a/b', 'w').catch((e) => e.code))
for await (const line of (await p.open('a')).readLines()) report(line)
await p.copyFile('a', 'b', fs.constants.COPYFILE_EXCL); await p.copyFile('a', 'b', fs.constants.COPYFILE_EXCL).catch((e) => report(e.code)); await p.copyFile('a', 'c', fs.constants.COPYFILE_FICLONE)
await p.rename('c', 'd'); await p.link('d', 'e'); report((await p.stat('e')).nlink); await p.unlink('e'); await p.symlink('d', 'l'); report(await p.readlink('l'), (await p.lstat('l')).isSymbolicLink()); await p.lutimes('l', 1, 2); report((await p.lstat('l')).mtimeMs)
await p.chown('a', process.getuid(), process.getgid()); await p.lchown('l', process.getuid(), process.getgid()); report((await p.statfs('.')).type)
N
## fs.promises: trees are made copied listed and removed
node --import ../report.mjs --input-type=module <<'N'
const p = fs.promises
report((await p.mkdir('t/a/b/c', { recursive: true })).endsWith('/t')); for (const f of ['t/f', 't/a/g', 't/a/b/.hidden', 't/a/b/c/h']) await p.writeFile(f, f); await p.symlink('../f', 't/a/l'); await p.writeFile('t/a/.env', 'S=1')
await p.rm('t/a/.env'); await p.cp('t', 'u', { recursive: true, preserveTimestamps: true, verbatimSymlinks: true }); await p.cp('t', 'v', { recursive: true, dereference: true, filter: (f) => !f.endsWith('h') })
for (const d of ['u', 'v']) report((await p.readdir(d, { recursive: true })).sort()); report((await p.readdir('t', { withFileTypes: true })).map((e) => [e.name, e.isDirectory()]).sort())
const names = []; for await (const e of await p.opendir('t/a', { bufferSize: 1 })) names.push(e.name); report(names.sort()); const d = fs.opendirSync('t'); d.readSync(); d.closeSync()
await p.rmdir('u').catch((e) => report(e.code)); await p.rm('u').catch((e) => report(e.code)); await p.rm('u', { recursive: true }); await p.rm('nothing', { force: true }); await p.rename('v', 'w'); await p.rm('w', { recursive: true, maxRetries: 2 })
const x = await p.mkdtemp(path.join(os.tmpdir(), 'pre-')); await p.writeFile(path.join(x, 'f'), '1'); await p.cp(x, 'fromtmp', { recursive: true }); report(await p.readdir('fromtmp')); await p.rm(x, { recursive: true }); report(fs.existsSync(x)); const y = await p.mkdtemp('here-'); report(path.basename(y).length); await p.rmdir(y)
await p.rename(path.join(os.tmpdir(), 'none'), 'x').catch((e) => report(e.code))
N
## fs.access and the modes
node --import ../report.mjs --input-type=module <<'N'
const { R_OK, W_OK, X_OK, F_OK } = fs.constants
fs.writeFileSync('m', '#!/bin/sh\nexit 4\n'); for (const mode of [0o000, 0o400, 0o200, 0o100, 0o700]) { fs.chmodSync('m', mode); report(mode.toString(8), [F_OK, R_OK, W_OK, X_OK, R_OK | W_OK].map((how) => { try { fs.accessSync('m', how); return true } catch (e) { return e.code } })) }
report((await import('node:child_process')).spawnSync('./m').status); await fs.promises.access('none').catch((e) => report(e.code)); report(fs.existsSync('m'), fs.existsSync('none'), fs.realpathSync.native('m') === path.resolve('m'))
process.umask(0o077); fs.writeFileSync('um', ''); fs.mkdirSync('umd'); report(fs.statSync('um').mode.toString(8), fs.statSync('umd').mode.toString(8)); fs.writeFileSync('um2', '', { mode: 0o777 }); report(fs.statSync('um2').mode.toString(8))
report(fs.statSync('.', { bigint: true }).isDirectory(), fs.statSync('none', { throwIfNoEntry: false }) === undefined, fs.lstatSync('m').isFile())
N
## streams read write pipe and join
node --import ../report.mjs --input-type=module <<'N'
import { pipeline } from 'node:stream/promises'; import zlib from 'node:zlib'; import crypto from 'node:crypto'; import readline from 'node:readline'
const w = fs.createWriteStream('big'); for (let i = 0; i < 20000; i++) if (!w.write(`line ${i}\n`)) await new Promise((r) => w.once('drain', r)); await new Promise((r) => w.end(r))
await pipeline(fs.createReadStream('big'), zlib.createGzip(), fs.createWriteStream('big.gz')); await pipeline(fs.createReadStream('big.gz'), zlib.createGunzip(), fs.createWriteStream('big2'))
const hash = async (f) => { const h = crypto.createHash('sha256'); await pipeline(fs.createReadStream(f), h); return h.digest('hex') }; report(await hash('big') === await hash('big2'), fs.statSync('big2').size)
let n = 0; for await (const _ of readline.createInterface({ input: fs.createReadStream('big', { start: 100, end: 5000 }) })) n++; report(n)
const a = fs.createWriteStream('big', { flags: 'r+', start: 4 }); await new Promise((r) => a.end('XX', r)); report(fs.readFileSync('big', 'utf8').slice(0, 8)); await pipeline(fs.createReadStream('none'), fs.createWriteStream('o')).catch((e) => report(e.code))
fs.writevSync(fs.openSync('v', 'w'), [Buffer.from('a'), Buffer.from('b')]); report(fs.readFileSync('v', 'utf8')); fs.rmSync('big.gz'); report(fs.openAsBlob ? (await (await fs.openAsBlob('v')).text()) : 'ab')
N
## watchers see changes, and the polling one too
node --import ../report.mjs --input-type=module <<'N'
fs.mkdirSync('wd/sub', { recursive: true }); fs.writeFileSync('wd/f', '')
const seen = (w, name) => new Promise((r) => w.on('change', (e, n) => n === name && r([e, n])))
let w = fs.watch('wd'); let s = seen(w, 'new'); fs.writeFileSync('wd/new', ''); report(await s); s = seen(w, 'moved'); fs.renameSync('wd/new', 'wd/moved'); report(await s); s = seen(w, 'moved'); fs.unlinkSync('wd/moved'); report(await s); w.close()
w = fs.watch('wd', { recursive: true }); await new Promise((r) => setTimeout(r, 200)); s = seen(w, 'sub/deep'); fs.writeFileSync('wd/sub/deep', '1'); report((await s)[1]); w.close()
const polled = new Promise((r) => fs.watchFile('wd/f', { interval: 20 }, (now) => r(now.size))); await new Promise((r) => setTimeout(r, 100)); fs.writeFileSync('wd/f', 'xyz'); report(await polled); fs.unwatchFile('wd/f')
const abort = new AbortController(); const events = (async () => { for await (const e of fs.promises.watch('wd', { signal: abort.signal })) return e.filename })(); setTimeout(() => fs.writeFileSync('wd/last', ''), 100); report(await events); abort.abort()
N
## worker threads share memory and files
node --import ../report.mjs --input-type=module <<'N'
import { Worker } from 'node:worker_threads'
const shared = new Int32Array(new SharedArrayBuffer(8)); fs.mkdirSync('wt')
const text = `const { workerData: d, parentPort } = require('worker_threads'); const fs = require('fs'); for (let i = 0; i < 50; i++) { const f = 'wt/' + d.n + '-' + i; fs.writeFileSync(f, f); if (fs.readFileSync(f, 'utf8') !== f) throw 1; fs.renameSync(f, f + '.done'); Atomics.add(d.shared, 0, 1) } parentPort.postMessage(fs.readdirSync('wt').filter((f) => f.startsWith(d.n + '-')).length)`
report(await Promise.all([1, 2, 3, 4].map((n) => new Promise((r, f) => new Worker(text, { eval: true, execArgv: [], workerData: { n, shared } }).on('message', r).on('error', f))))); report(shared[0], fs.readdirSync('wt').length); fs.rmSync('wt', { recursive: true })
await new Promise((r) => new Worker('throw new Error("in a worker")', { eval: true, execArgv: [] }).on('error', (e) => { report(e.message); r() })); const t = new Worker('setInterval(() => {}, 1000)', { eval: true, execArgv: [] }); report(await t.terminate())
N
## children are spawned with pipes and codes and signals
node --import ../report.mjs --input-type=module <<'N'
import cp from 'node:child_process'; import util from 'node:util'; const exec = util.promisify(cp.exec), file = util.promisify(cp.execFile)
report(await exec('echo $0 out; echo err >&2'), await exec('exit 7').catch((e) => e.code), await file('cat', ['none']).catch((e) => [e.code, e.stderr]), await file('nothing-here').catch((e) => e.code)); const end = (c) => new Promise((r) => c.on('close', (code, signal) => r([code, signal])))
let c = cp.spawn('cat'); let out = ''; c.stdout.on('data', (d) => out += d); c.stdin.end('x'.repeat(200000)); report(await end(c), out.length); c = cp.spawn('sleep', ['60']); c.kill(); report(await end(c)); report(await exec('sleep 60', { timeout: 200 }).catch((e) => [e.killed, e.signal]))
c = cp.spawn('sh', ['-c', 'echo three >&3; cat <&4'], { stdio: ['ignore', 'pipe', 'inherit', 'pipe', 'pipe'] }); out = ''; c.stdout.on('data', (d) => out += d); c.stdio[3].on('data', (d) => out += d); c.stdio[4].end('four\n'); report(await end(c), out.split('\n').sort())
fs.writeFileSync('log', ''); const log = fs.openSync('log', 'a'); report(cp.spawnSync('sh', ['-c', 'pwd; echo $V'], { cwd: '/', env: { V: 'v', PATH: process.env.PATH }, stdio: ['ignore', log, log] }).status, fs.readFileSync('log', 'utf8')); report(cp.execFileSync('tr', ['a-z', 'A-Z'], { input: 'loud', encoding: 'utf8' }), cp.spawnSync('sh', ['-c', 'kill -9 $$']).signal)
const many = await Promise.all([...Array(20).keys()].map((i) => exec(`echo ${i} > many.${i}; cat many.${i}; rm many.${i}`))); report(many.map((m) => m.stdout.trim()).join()); await file('./log').catch((e) => report(e.code)); cp.spawn('true', { cwd: 'none' }).on('error', (e) => report(e.code))
N
## children are forked with messages and handles, and outlive nobody
node --import ../report.mjs --input-type=module <<'N'
import cp from 'node:child_process'; import net from 'node:net'
fs.writeFileSync('child.cjs', `process.on('message', (m, h) => { if (h) { h.end('from the child'); return } if (m === 'end') process.disconnect(); else process.send({ got: m, env: process.env.V, args: process.argv.slice(2) }) })`)
const c = cp.fork('./child.cjs', ['a'], { execArgv: [], env: { ...process.env, V: '1' }, serialization: 'advanced' }); const ask = (m) => new Promise((r) => { c.once('message', r); c.send(m) }); report(await ask({ date: new Date(0), map: new Map([[1, 2]]) })); report(await ask('x'.repeat(100000)).then((a) => a.got.length))
const j = cp.fork('./child.cjs', { execArgv: [] }); const server = net.createServer((s) => j.send('socket', s)).listen(0, '127.0.0.1', async () => { const s = net.connect(server.address().port, '127.0.0.1'); let t = ''; s.on('data', (d) => t += d); s.on('end', () => { report(t); server.close(); j.send('end') }) }); await new Promise((r) => j.on('exit', (code) => { report(code); r() })); c.send('end'); report(await new Promise((r) => c.on('exit', (...e) => r(e))))
const d = cp.spawn('sh', ['-c', 'echo detached > det; sleep 0.1; echo $$ >> det2'], { detached: true, stdio: 'ignore' }); await new Promise((r) => d.on('exit', r)); d.unref(); report(fs.readFileSync('det', 'utf8'), fs.readFileSync('det2', 'utf8').trim() === String(d.pid)); fs.rmSync('det2')
N
## servers on loopback: net, http, unix, udp, dns
node --import ../report.mjs --input-type=module <<'N'
import net from 'node:net'; import http from 'node:http'; import dgram from 'node:dgram'; import dns from 'node:dns/promises'
const listen = (s, ...a) => new Promise((r, f) => { s.on('error', f); s.listen(...a, () => r(s.address())) }), body = (m) => new Promise((r) => { let t = ''; m.on('data', (d) => t += d); m.on('end', () => r(t)) })
const echo = net.createServer((s) => s.pipe(s)); const { port } = await listen(echo, 0, '127.0.0.1'); const s = net.connect(port, '127.0.0.1'); s.end('z'.repeat(300000)); report((await body(s)).length); echo.close(); await new Promise((r) => net.connect(port, '127.0.0.1').on('error', (e) => { report(e.code); r() }))
const web = http.createServer(async (q, a) => { a.setHeader('x', q.method); a.end(q.method === 'POST' ? await body(q) : fs.readFileSync('child.cjs')) }); const at = await listen(web, 0, 'localhost'); report(await (await fetch(`http://localhost:${at.port}/`, { method: 'POST', body: 'posted' })).text(), (await (await fetch(`http://localhost:${at.port}/`)).text()).length); web.close(); web.closeAllConnections()
const u = http.createServer((q, a) => a.end(q.url)); await listen(u, 'u.sock'); report(fs.statSync('u.sock').isSocket(), await new Promise((r) => http.get({ socketPath: 'u.sock', path: '/p' }, async (m) => r(await body(m))))); await listen(net.createServer(), 'u.sock').catch((e) => report(e.code)); u.close(); u.closeAllConnections(); await new Promise((r) => setImmediate(r)); report(fs.existsSync('u.sock'))
const a = dgram.createSocket('udp4'), b = dgram.createSocket('udp4'); await new Promise((r) => a.bind(0, '127.0.0.1', r)); b.send('udp', a.address().port, '127.0.0.1'); report(String((await new Promise((r) => a.on('message', r))))); a.close(); b.close(); report((await dns.lookup('localhost', { family: 4 })).address); await new Promise((r) => net.connect('none.sock').on('error', (e) => { report(e.code); r() }))
N
## modules, the inspector of itself, and the process
printf 'export const a = 1\n' > m.mjs; printf 'module.exports = { b: 2 }\n' > c.cjs; printf '{"j":3}' > j.json; mkdir -p node_modules/pkg; printf '{"name":"pkg","exports":{".":"./i.mjs","./sub":"./s.cjs"}}' > node_modules/pkg/package.json; echo 'export default "pkg"' > node_modules/pkg/i.mjs; echo 'module.exports = __filename' > node_modules/pkg/s.cjs; ln -sfn ../m.mjs node_modules/link.mjs
node --import ../report.mjs --input-type=module <<'N' || test $? = 5
import { a } from './m.mjs'; import c from './c.cjs'; import pkg from 'pkg'; import sub from 'pkg/sub'; import { createRequire } from 'node:module'; const require = createRequire(path.resolve('x.js'))
report(a, c.b, require('./j.json').j, pkg, path.basename(sub), await import('pkg/none').catch((e) => e.code), await import('./none.mjs').catch((e) => e.code)); report((await import(path.resolve('node_modules/link.mjs'))).a)
report(process.cwd() === path.resolve('.'), os.homedir().length > 0, os.userInfo().uid === process.getuid(), os.cpus().length > 0, process.title, os.availableParallelism?.() ?? os.cpus().length, fs.readFileSync('/proc/self/comm', 'utf8').length > 0); process.chdir('node_modules'); report(fs.readdirSync('.')); process.on('SIGUSR2', () => { report('signal'); process.exit(5) }); process.kill(process.pid, 'SIGUSR2'); setInterval(() => {}, 1000)
N
## the test runner and the permission to watch a file
mkdir -p tests; cat > tests/x.test.mjs <<'T'
import test from 'node:test'; import assert from 'node:assert'; import fs from 'node:fs'
test('files', async (t) => { await t.test('are made', () => { fs.writeFileSync('made', 'x'); assert.equal(fs.readFileSync('made', 'utf8'), 'x') }); t.after(() => fs.rmSync('made')) }); test('fails not', () => assert.throws(() => fs.readFileSync('none'), { code: 'ENOENT' }))
T
node --test --test-reporter=tap tests | grep -E '^# (tests|pass|fail)'; node --check tests/x.test.mjs; node -e 'process.exitCode = 9' || echo $?; echo 'console.log("stdin")' | node -; node --env-file=none -e 1 2>/dev/null || echo none; printf 'A=b\n' > given; node --env-file=given -p process.env.A; V8=1 node --cpu-prof --cpu-prof-name=prof -e 1; test -s prof && rm prof
