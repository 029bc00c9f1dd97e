"""Serves what the tests of caches.rs install, on loopback: `dep` and `tool` for each kind of package manager.

registry.py DIRECTORY: makes the files there, prints the port and serves until it is killed.
"""
import base64, functools, hashlib, http.server, io, json, os, sys, tarfile, zipfile


def archive(files, top):
    """The bytes of a gzipped tar archive; with the same files always the same bytes but for the time."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode='w:gz') as tar:
        for name, text in files.items():
            entry = tarfile.TarInfo(f'{top}/{name}')
            entry.size, entry.mode = len(text.encode()), 0o755
            tar.addfile(entry, io.BytesIO(text.encode()))
    return out.getvalue()


def write(path, data):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, 'wb') as file:
        file.write(data.encode() if isinstance(data, str) else data)


def npm(port):
    packages = {
        'dep': ({'name': 'dep', 'version': '1.2.3', 'main': 'i.js'}, {'i.js': 'module.exports = "dep"\n'}),
        'tool': ({'name': 'tool', 'version': '2.0.0', 'bin': {'tool': 't.js'}, 'dependencies': {'dep': '^1.0.0'}},
                 {'t.js': '#!/usr/bin/env node\nconsole.log("tool with", require("dep"))\n'}),
    }
    for name, (about, files) in packages.items():
        tarball = archive({'package.json': json.dumps(about), **files}, 'package')
        write(f'npm/-/{name}.tgz', tarball)
        about['dist'] = {
            'tarball': f'http://127.0.0.1:{port}/npm/-/{name}.tgz',
            'shasum': hashlib.sha1(tarball).hexdigest(),
            'integrity': 'sha512-' + base64.b64encode(hashlib.sha512(tarball).digest()).decode(),
        }
        version = about['version']
        write(f'npm/{name}', json.dumps({
            'name': name, 'dist-tags': {'latest': version}, 'versions': {version: about},
            'time': {version: '2020-01-01T00:00:00.000Z'},
        }))


def cargo(port):
    crate = archive({
        'Cargo.toml': '[package]\nname = "dep"\nversion = "1.0.0"\nedition = "2021"\n',
        'build.rs': 'fn main() {}\n',
        'src/lib.rs': 'pub const DEP: &str = "dep";\n',
    }, 'dep-1.0.0')
    write('cargo/crates/dep/1.0.0/download', crate)
    write('cargo/index/config.json', json.dumps({'dl': f'http://127.0.0.1:{port}/cargo/crates'}))
    write('cargo/index/3/d/dep', json.dumps({
        'name': 'dep', 'vers': '1.0.0', 'deps': [], 'features': {}, 'yanked': False,
        'cksum': hashlib.sha256(crate).hexdigest(),
    }) + '\n')


def python():
    backend = '''
import os, zipfile
def build_wheel(directory, config=None, metadata=None):
    name = 'dep-1.0-py3-none-any.whl'
    files = {'dep.py': 'DEP = "dep"\\n',
             'dep-1.0.dist-info/METADATA': 'Metadata-Version: 2.1\\nName: dep\\nVersion: 1.0\\n',
             'dep-1.0.dist-info/WHEEL': 'Wheel-Version: 1.0\\nGenerator: own\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n'}
    files['dep-1.0.dist-info/RECORD'] = ''.join(name + ',,\\n' for name in [*files, 'dep-1.0.dist-info/RECORD'])
    with zipfile.ZipFile(os.path.join(directory, name), 'w') as wheel:
        for path, text in files.items(): wheel.writestr(path, text)
    return name
'''
    write('python/dep-1.0.tar.gz', archive({
        'PKG-INFO': 'Metadata-Version: 2.1\nName: dep\nVersion: 1.0\n',
        'pyproject.toml': '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
                          '[project]\nname = "dep"\nversion = "1.0"\n',
        'backend.py': backend,
    }, 'dep-1.0'))


def go():
    at = 'go/example.org/dep/@v'
    mod = 'module example.org/dep\n'
    write(f'{at}/list', 'v1.0.0\n')
    write(f'{at}/v1.0.0.info', '{"Version":"v1.0.0","Time":"2020-01-01T00:00:00Z"}')
    write(f'{at}/v1.0.0.mod', mod)
    out = io.BytesIO()
    with zipfile.ZipFile(out, 'w') as module:
        module.writestr('example.org/dep@v1.0.0/go.mod', mod)
        module.writestr('example.org/dep@v1.0.0/dep.go', 'package dep\n\nconst Dep = "dep"\n')
    write(f'{at}/v1.0.0.zip', out.getvalue())


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *arguments):
        pass


os.makedirs(sys.argv[1], exist_ok=True)
os.chdir(sys.argv[1])
server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), functools.partial(Quiet, directory='.'))
npm(server.server_port)
cargo(server.server_port)
python()
go()
print(server.server_port, flush=True)
server.serve_forever()
