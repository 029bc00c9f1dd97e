//! Shells, editors, and the tools that make, copy, move, pack and save files.

use crate::programs::Script;

#[test]
fn bash_uses_pipes_jobs_here_documents_substitutions_and_traps() {
    let script = r#"
set -u
cat <<E
here $((1+1))
E
cat <<< string
paste <(echo a) <(echo b) | tee teed
x=$(printf sub); echo ${x^^} | tr A-Z a-z
(exec 3<>rw; echo three >&3; cat rw)
exec 4>log; echo four >&4; exec 4>&-; cat log
seq 200000 | md5sum; head -c 3000000 /dev/zero | tail -c 1000000 | wc -c; yes | head -100000 | wc -l
(echo bg > bg) & p=$!; wait $p; cat bg
(exit 7) & wait $!; echo $?
set -o pipefail; false | true; echo $?
trap 'echo trapped' USR1; kill -USR1 $$; echo $?
coproc C { read l; echo got $l; }
out=${C[0]} pid=$!; echo hi >&${C[1]}; read r <&$out; echo $r; wait $pid
mkfifo p; (echo fifo > p) & cat < p; wait; rm p
(ulimit -n 64; echo files $(ulimit -n))
umask 027; echo u > um; mkdir umd; stat -c %a um umd
(set -C; echo clobber > um || echo noclobber) 2>/dev/null
for i in $(seq 1 40); do (echo $i > many.$i) & done; wait; cat many.* | sort -n | tail -1; rm many.*
timeout 0.2 sleep 60; echo $?
echo 'echo from script $0 $1' > s.sh; bash s.sh a; chmod +x s.sh; ./s.sh b
printf '#!/bin/sh\necho bang $1\n' > b; chmod +x b; ./b c
printf '#!/usr/bin/env python3\nprint("of python")\n' > py; chmod +x py; ./py
echo 'rm -f s.sh' | sh; ./missing; echo $?; ./log; echo $?; . ./log; echo $?
/proc/self/exe --version | head -1
(cd /; pwd); pushd nested; popd; echo *; compgen -G '*' | wc -l
kill -0 $$ && echo alive; (bash -c 'kill -9 $$'; echo $?) 2>/dev/null
(sleep 300 >/dev/null 2>&1 & kill $!; wait $!; echo $?) 2>/dev/null
cat /proc/self/comm; echo x > /dev/null; cat /dev/null
ls /dev/fd/ /proc/self/fd >/dev/null && echo fd
[ -w log ] && echo w; [ -x b ] && echo x; [ -x log ] || echo no; [ -e .env ] && echo exists
stat -c %s .env
printf '%s\n' "$BASH_SUBSHELL" "$PWD" "${UID}" | sort | wc -l; exec bash -c 'echo replaced; exit 0'"#;
    Script::new(script).runs_as_if_bare();
}

#[test]
fn files_are_packed_copied_linked_moved_found_and_removed() {
    let script = r#"
set -e
mkdir -p t/a/b 't/with space' t/.hidden; echo 1 > t/a/f; echo 2 > t/a/b/g
echo 3 > 't/with space/h i'; ln -s ../a/f t/a/l; ln t/a/f t/a/hard; ln -s nowhere t/dangling
mkfifo t/fifo; echo s > t/.hidden/x; chmod 640 t/a/f; touch -d 2020-01-02 t/a/b/g
truncate -s 10K t/sparse; echo x > t/$'new\nline'; chmod 750 t/a/b
tar cf t.tgz -I "gzip -n" --mtime=@0 --sort=name t; mkdir out; tar xzf t.tgz -C out
tar cf - -C t . | (mkdir pipe; tar xpf - -C pipe)
tar tvf t.tgz --numeric-owner | awk '{print $1,$6}' | sort
cp -a t copy; cp -r t/a rcopy; cp -al t/a linked; cp -p t/a/f p; stat -c '%a %Y %h' copy/a/b/g
mv copy moved; mkdir other; mv moved other/; mv other/moved/a other/a; mv -n p t/a/f
install -D -m 755 t/a/f inst/bin/f; install -d -m 700 inst/d
find . -name .env -prune -o -type f -print0 | sort -z | xargs -0 -n 2 wc -c | grep -v total
grep -rl 1 t --exclude=.env --exclude=fifo --devices=skip | sort
find t -type l -exec readlink {} \; | sort; find t -newermt 2021-01-01 -type f | wc -l
dd if=/dev/zero of=dd bs=64K count=8 status=none; split -b 100K dd part.; cat part.* | cmp - dd
rm part.*; sort -R --random-source=dd t/sparse | wc -l
seq 100000 | sort -rn --parallel=2 -S 1M | head -3; comm -12 <(seq 9) <(seq 5 9)
diff -r t out/t --exclude=fifo --no-dereference && echo same
ln -sfn t/a link; cat link/f; rm -r link t/a/l; chmod 700 t/a/b; rm -rf rcopy linked; rmdir inst/d
mktemp -p . -d XXXXXX | wc -c; rmdir ./?????? 2>/dev/null || true; du -s --apparent-size t | cut -f2
shred -u dd; stat -c '%n %F %a' t/* | sort; realpath t/a; readlink -f link || true
touch -r t/a/f t/a/hard; test -w t; chmod -R u+rwX t out pipe other; gzip -kf t/a/f
gunzip -f t/a/f.gz; mv t/a/f t/a/.env"#;
    Script::new(script).runs_as_if_bare();
}

#[test]
fn rsync_copies_updates_links_backs_up_and_deletes() {
    let script = "
set -e
mkdir -p src/a/b; seq 1000 > src/a/f; echo g > src/a/b/g; ln -s ../a src/a/l; ln src/a/f src/hard
touch -d 2020-01-01 src/a/b/g
rsync -aH src/ dst; rsync -a --delete --itemize-changes src/ dst; echo more >> src/a/f; rm src/a/b/g
rsync -aHi --delete --no-times --checksum src/ dst | sort; rsync -a --inplace src/ dst2
rsync -a --backup --suffix=.bak src/ dst2; rsync -a --link-dest=../dst src/ dst3
rsync -aP --partial-dir=.part src/ dst4 >/dev/null; rsync -a --exclude=.env --exclude='dst*' ./ all
rsync -aX --numeric-ids src/ dst5; find all | sort; rsync -a --remove-source-files src/ dst6
find src | sort";
    Script::new(script).runs_as_if_bare();
}

#[test]
fn files_are_edited_in_place_and_saved_by_rename_with_backups_and_locks() {
    let script = r#"
set -e
printf 'one\ntwo\nthree\n' > f; chmod 640 f; ln f hard; ln -s f link; mkdir sub; cp f sub/g
sed -i 's/one/uno/' f; sed -i.bak 's/two/dos/' f; sed -i --follow-symlinks 's/three/tres/' link
cat f f.bak link hard
perl -pi -e 's/uno/eins/' f; perl -pi.orig -e 's/dos/zwei/' f; cat f
perl -MFile::Copy -e 'copy("f","pc"); move("pc","pm"); utime 1,1,"pm"; chmod 0600,"pm"; print join(",",(stat "pm")[2,9]),"\n"; print map {"$_\n"} sort <s*>; my @l=`echo sub`; print @l; use POSIX; print POSIX::access("f",4)?"r\n":"n\n"'
vim -Nu NONE -es -c '%s/eins/ichi/' -c 'wq' f </dev/null; cat f
vim -Nu NONE -es --cmd 'set backup backupskip= backupdir=. backupcopy=yes writebackup undofile undodir=.' -c '1s/$/!/' -c wq f
cat f f~; vim -Nu NONE -es --cmd 'set backupcopy=no' -c '$s/$/ end/' -c x link; cat link
test -L link && echo link
vim -Nu NONE -es --cmd 'set nobackup nowritebackup' -c 'normal ggdd' -c 'saveas sub/h' -c q f
cat sub/h; rm -f .f.un~ .link.un~ *.un~ .*.un~; ls -A
sed -i 1d sub/g; cat sub/g; printf 'x\n' | tee -a sub/g >/dev/null; ex -s -c '%d' -c wq sub/h
wc -c < sub/h
/usr/bin/python3 - <<'E'
import os, tempfile
def save(path, data):
    fd, tmp = tempfile.mkstemp(dir=os.path.dirname(path) or '.')
    os.fchmod(fd, os.stat(path).st_mode & 0o777); st = os.stat(path)
    os.fchown(fd, st.st_uid, st.st_gid)
    os.write(fd, data); os.fsync(fd); os.close(fd); os.rename(tmp, path)
    d = os.open(os.path.dirname(path) or '.', os.O_RDONLY | os.O_DIRECTORY); os.fsync(d); os.close(d)
save('f', b'atomic\n'); save('sub/g', b'atomic too\n')
print(open('f').read(), oct(os.stat('f').st_mode))
os.rename('f', 'f~'); fd = os.open('f', os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
os.write(fd, b'backup\n'); os.fdatasync(fd); os.ftruncate(fd, 3); os.posix_fallocate(fd, 0, 10)
os.pwrite(fd, b'z', 9); os.close(fd); print(open('f').read())
fd = os.open('.', os.O_TMPFILE | os.O_RDWR, 0o600); os.write(fd, b'nameless'); os.close(fd)
os.link('f', '.#lock'); print(os.stat('f').st_nlink); os.unlink('.#lock')
os.symlink('user@host.1', '.#f'); print(os.readlink('.#f')); os.unlink('.#f')
import fcntl; fd = os.open('f', os.O_RDWR); fcntl.flock(fd, fcntl.LOCK_EX)
fcntl.lockf(fd, fcntl.LOCK_EX); os.utime(fd, (1, 2)); print(os.stat('f').st_mtime); import shutil
shutil.copystat('f', 'hard'); shutil.copy2('f', 'c2'); shutil.move('c2', 'sub/c2')
shutil.copytree('sub', 'subcopy'); shutil.rmtree('subcopy'); os.truncate('sub/c2', 1); import mmap
m = mmap.mmap(fd, 0); m[0:1] = b'M'; m.flush(); print(open('f').read())
E
cp --backup=numbered f hard; cp --remove-destination f link; install -b f sub/g
diff -u f.bak hard > p.diff || true
patch -s f.bak < <(printf -- '--- f.bak\n+++ f.bak\n@@ -1,3 +1,3 @@\n uno\n-two\n+TWO\n three\n')
cat f.bak; mkdir -p conf; echo SECRET=1 > conf/.env.tmp; mv conf/.env.tmp conf/.env
echo SECRET=2 >> conf/.env; cp conf/../f conf/.env; stat -c %s conf/.env"#;
    Script::new(script).runs_as_if_bare();
}

#[test]
fn editors_on_a_terminal_save_what_is_typed() {
    let script = r#"
printf 'old\n' > n; chmod 640 n
cat > type.py <<'E'
import os, pty, sys
def until(fd, text):
    seen = b''
    while text not in seen:
        try: seen += os.read(fd, 1000)
        except OSError: return seen
    return seen
def editor(command, shown, *keys):
    pid, fd = pty.fork()
    if pid == 0: os.environ['TERM'] = 'xterm'; os.execvp(command[0], command)
    until(fd, shown)
    for key, answer in keys: os.write(fd, key); until(fd, answer)
    until(fd, b'never said'); return os.waitpid(pid, 0)[1]
print(editor(['nano', '-I', '-B', 'n'], b'old', (b'new ', b'n'), (b'\x0f', b'Write'), (b'\r', b'Wrote'), (b'\x18', b'never said')))
print(editor(['vim', '-Nu', 'NONE', 'v'], b'"v"', (b'ihello\x1b:wq\r', b'never said')))
E
/usr/bin/python3 type.py; cat n n~ v; stat -c %a n; ls -A"#;
    Script::new(script).runs_as_if_bare();
}

#[test]
fn a_terminal_is_made_for_programs_that_want_one() {
    let script = r#"
set -e
export SHELL=/bin/sh TERM=xterm
script -qec 'tty | cut -c1-9; stty size >/dev/null && echo size; test -t 0 && echo terminal; echo x > /dev/tty' /dev/null < /dev/null
script -qec 'echo logged; exit 5' log </dev/null || echo $?; grep -c logged log; rm log
cat > in.sh <<'E'
echo in tmux; tty | cut -c1-9; test -t 0 && echo terminal; tmux display-message -p '#{session_name}'
tmux wait-for -S done; exec cat
E
tmux -S "$PWD/tm" -f /dev/null new-session -d -s a -x 80 -y 24 'sh in.sh > out'
tmux -S tm wait-for done; cat out; tmux -S tm list-sessions -F '#{session_name}'
tmux -S tm split-window -d -t a 'tmux wait-for -S split; exec cat'; tmux -S tm wait-for split; tmux -S tm list-panes -t a | wc -l
tmux -S tm kill-server; rm -f tm
/usr/bin/python3 -c '
import pty, os
m, s = pty.openpty(); print(os.isatty(s), os.ttyname(s)[:9])
pid, fd = pty.fork()
if pid == 0: os.execvp("sh", ["sh", "-c", "echo on $(tty | cut -c1-9)"])
out = b""
try:
    while d := os.read(fd, 1000): out += d
except OSError: pass
print(out, os.waitpid(pid, 0)[1])'
setsid -w sh -c 'tty; true'; ls -A"#;
    Script::new(script).runs_as_if_bare();
}

#[test]
fn extended_attributes_and_access_lists_are_copied_packed_and_added_to() {
    let script = r#"
set -e
echo data > a; setfattr -n user.note -v important a; setfattr -n user.long -v "$(printf %3000d 7)" a
/usr/bin/python3 - <<'E'
import ctypes, os
c = ctypes.CDLL(None, use_errno=True)
fd = os.open("a", os.O_RDONLY)
room = ctypes.create_string_buffer(70000)
for name, it in (("get", b"a"), ("lget", b"a"), ("fget", fd)):
    for size in (0, 1, 8, 9, 10, 65536, 65537, 70000):
        got = getattr(c, name + "xattr")(it, b"user.note", room, size)
        print(name, size, got, got < 0 and ctypes.get_errno())
for name, it in (("list", b"a"), ("llist", b"a"), ("flist", fd)):
    for size in (0, 1, 20, 21, 65536, 65537):
        got = getattr(c, name + "xattr")(it, room, size)
        print(name, size, got, got < 0 and ctypes.get_errno())
E
for u in $(seq 1100 1130); do setfacl -m u:$u:r a; done
cp -a a b; rsync -aX a c; tar --xattrs --acls -cf t.tar a; mkdir out; tar --xattrs --acls -xf t.tar -C out; rm t.tar
for f in a b c out/a; do
  getfattr --only-values -n user.note $f; getfattr -d $f | grep -c user; getfacl -nc $f | grep -c '^user:[0-9]' || true
done
mkdir d; setfacl -m d:u:1100:rwx d; for u in $(seq 1101 1130); do setfacl -m d:u:$u:r d; done
echo x > d/new; getfacl -nc d/new | grep -c '^user:[0-9]'"#;
    Script::new(script).runs_as_if_bare();
}
