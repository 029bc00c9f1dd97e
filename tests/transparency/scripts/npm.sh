# npm without a registry: everything comes from folders and archives.
## a package is begun and described
mkdir app; cd app; npm init -y >/dev/null; npm pkg set type=module scripts.hello='echo hello $npm_package_name' scripts.prehello='echo before' scripts.fail='exit 3' scripts.arg='node arg.mjs'; npm pkg get scripts type name; cat package.json; printf 'SECRET=1\n' > .env
## scripts run with their arguments and codes
cd app; echo 'console.log(process.argv.slice(2), process.env.npm_lifecycle_event)' > arg.mjs; npm run --silent hello; npm run --silent arg -- one 'two three'; npm run --silent fail && exit 1; npm run --silent missing 2>/dev/null && exit 1; npm run --silent fail --if-present || echo $?; npm run; npm --version >/dev/null
## packages are packed and installed from archives and folders
mkdir lib; cd lib; printf '{"name":"lib","version":"1.0.0","main":"l.js","bin":{"libtool":"b.js"},"files":["*.js"]}' > package.json; echo 'module.exports = 42' > l.js; printf '#!/usr/bin/env node\nconsole.log("tool", require("./l.js"))\n' > b.js; printf 'A=1\n' > .env; npm pack --silent; tar tzf lib-1.0.0.tgz | sort
cd ../app; npm install --silent ../lib/lib-1.0.0.tgz; node -e 'console.log(require("lib"))'; npx --no-install libtool; npm exec --offline -- libtool; npm ls; node -p 'Object.keys(require("./package-lock.json").packages).join()'; npm ci --silent; npm explain lib | head -1
## workspaces link to each other
mkdir -p mono/packages/a mono/packages/b; cd mono; printf '{"name":"mono","private":true,"workspaces":["packages/*"]}' > package.json; printf '{"name":"a","version":"1.0.0","main":"a.js","scripts":{"test":"echo test a"}}' > packages/a/package.json; echo 'exports.a = 1' > packages/a/a.js
printf '{"name":"b","version":"1.0.0","dependencies":{"a":"^1.0.0"},"scripts":{"test":"node b.js"}}' > packages/b/package.json; echo 'console.log(require("a").a)' > packages/b/b.js; npm install --silent; npm test --silent --workspaces; npm run --silent test -w b; readlink node_modules/a node_modules/b; npm query .workspace | node -e 'console.log(JSON.parse(require("fs").readFileSync(0)).map((p) => p.name).join())'
## versions links and removals
cd app; git init -q; printf 'node_modules\n.env\n' > .gitignore; git add .; git commit -qm app; npm version --silent minor; git tag; git log --format=%s; npm uninstall --silent lib; npm ls; ls node_modules 2>/dev/null | wc -l; npm prune --silent; npm install --silent --save-dev ../lib; readlink node_modules/lib; npm dedupe --silent; npm outdated || true; npm config get cache | wc -l; npm cache verify >/dev/null; npm root; npm prefix
## a virtual environment of python beside it
python3 -m venv --without-pip v; v/bin/python -c 'import sys; print(sys.prefix != sys.base_prefix)'; . v/bin/activate; python -c 'print(1)'; rm -rf v
