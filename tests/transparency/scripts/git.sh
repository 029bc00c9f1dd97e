# git: what tests/supervisor does not do, and what people do every day.
## a repository with ignored secrets
git init -q r; cd r
printf '.env\n*.o\n' > .gitignore; mkdir -p src/deep; seq 20 > src/a; seq 5 > src/deep/b; echo x > src/x.o
printf 'KEY=1\n' > .env; printf 'KEY=2\n' > src/.env
git add .; git commit -qm 'first'; git status --short --ignored; git ls-files -s
git check-ignore -v .env src/.env; git clean -n -d -X
## a conflict is shown and solved
cd r; git switch -qc left; sed -i '3s/.*/left/' src/a; git commit -qam left
git switch -q main; sed -i '3s/.*/right/' src/a; git commit -qam right
git merge left && exit 1; git status --short; git diff; git ls-files -u
git checkout --theirs src/a; git add src/a; git commit -qm merged; git log --graph --format='%h %p %s'
git rerere status; git show --stat --format=%s HEAD
## a merge is aborted, and another is made with strategies
cd r; git switch -qc other main~1; echo z > src/a; git commit -qam other
git merge main >/dev/null && exit 1; git merge --abort; git status --short
git merge -q -X ours main -m ours; git diff --stat main; git merge-base main other; git merge-tree main left main
git switch -q main; git branch -D other
## an interactive rebase edits squashes rewords and drops
cd r; git switch -qc topic; for i in 1 2 3 4 5; do echo $i > t$i; git add t$i; git commit -qm "topic $i"; done
cat > ../todo.sh <<'T'
#!/bin/sh
sed -i -e '2s/^pick/squash/' -e '3s/^pick/reword/' -e '4s/^pick/drop/' -e '5s/^pick/fixup/' "$1"
T
cat > ../word.sh <<'T'
#!/bin/sh
echo "edited: $(head -1 "$1")" > "$1.new"; mv "$1.new" "$1"
T
chmod +x ../todo.sh ../word.sh
GIT_SEQUENCE_EDITOR=$PWD/../todo.sh GIT_EDITOR=$PWD/../word.sh git rebase -q -i main; git log --format='%h %s' main..; ls t*
## a rebase stops at a conflict and goes on
cd r; git switch -q main; sed -i '5s/.*/cinq/' src/a; git commit -qam cinq; git switch -qc again left; sed -i '5s/.*/five/' src/a; git commit -qam five; sed -i '3s/.*/three/' src/a; git commit -qam three
git rebase main && exit 1; git status | head -3; git checkout --theirs src/a; git add src/a
GIT_EDITOR=true git rebase --continue | tail -1; git log -3 --format='%h %s'
git rebase -q --autosquash --exec 'git rev-parse --short HEAD' HEAD~2 2>&1 | cat; git switch -q main
## a commit is amended and reset and found again in the reflog
cd r; echo more > more; git add more; git commit -qm more; echo most > more; git commit -q -a --amend -m most
git commit -q --amend --no-edit --author='B <b@example.org>'; git show -s --format='%an %cn %s'
git reset -q --soft HEAD~; git status --short; git commit -qm back; git reset -q --hard HEAD~; git reflog --format='%h %gs' | head -8
git reset -q --hard 'HEAD@{1}'; git commit --fixup HEAD --allow-empty -q; git log -2 --format=%s; git reset -q --hard HEAD~
git restore --source HEAD~1 more 2>&1 || echo not there; git restore --staged --worktree .; git rm -q --cached more; git status --short; git reset -q
## cherry-picks and reverts
cd r; git cherry-pick topic; git cherry-pick -n topic~1; git status --short; git reset -q --hard; git revert --no-edit HEAD | tail -1
git cherry-pick again | tail -1; git cherry -v main topic; git log -3 --format='%h %s'
## tags and descriptions
cd r; git tag light; git tag -a v1.0 -m 'one'; git tag -a v0.9 HEAD~2 -m 'before'; git tag -l --sort=version:refname -n1; git describe --tags --long
git tag -d light; git show-ref --tags -d; git for-each-ref --format='%(refname) %(objecttype)'; git tag --contains HEAD~1
## stashes with untracked and ignored files
cd r; echo u > untracked; echo s >> src/a; git add src/a; git stash push -q -u -m work; git stash list; git stash show --stat -u
git stash branch stashed -q 2>/dev/null || git stash branch stashed >/dev/null; git status --short; git reset -q --hard; rm -f untracked; git switch -q main
echo p >> src/a; git stash -q; git stash apply -q; git stash drop -q; git checkout -q src/a; git branch -D stashed
## clones by path, by protocol, shallow, partial, bare, mirrored
git clone -q r c1; git clone -q --no-hardlinks r c2; git clone -q --depth 1 "file://$PWD/r" c3; git clone -q --bare r b.git; git clone -q --mirror r m.git
git -C b.git config uploadpack.allowFilter true; git clone -q --filter=blob:none "file://$PWD/b.git" c4; git clone -q --shared r c5; git clone -q --reference r --dissociate r c6
git clone -q --single-branch -b topic r c7; for c in c1 c2 c3 c4 c5 c6 c7; do git -C $c log --oneline | wc -l; git -C $c fsck; git -C $c status --short; done
test -e c1/.env && exit 1; git -C c3 fetch -q --unshallow; git -C c3 log --oneline | wc -l
## pushes pulls and fetches
cd c1; git remote set-url origin ../b.git; echo c > c; git add c; git commit -qm c; git push -q origin HEAD:main 2>&1; git push -q origin HEAD:refs/heads/new -u
git -C ../c2 remote set-url origin ../b.git; git -C ../c2 pull -q --ff-only origin main; git -C ../c2 log -1 --format=%s
git -C ../c2 fetch -q --prune --tags; git push -q origin --delete new; git push -q --force-with-lease origin HEAD~1:main; git ls-remote origin
git remote -v; git remote prune origin; git push -q origin --tags; git branch -a -vv
## work trees
cd r; git worktree add -q -b tree ../wt; cp .env ../wt/.env 2>/dev/null || printf 'KEY=3\n' > ../wt/.env; git -C ../wt status --short; echo w > ../wt/w; git -C ../wt add w; git -C ../wt commit -qm w
git worktree list | awk '{print $2,$3}'; git worktree lock ../wt; git worktree remove ../wt && exit 1; git worktree unlock ../wt; git worktree move ../wt ../wt2
git worktree remove --force ../wt2; git worktree prune -v; test ! -e ../wt2; git branch -D tree
## submodules
git init -q super; cd super; git submodule add -q ../b.git lib; git commit -qm lib; git submodule status; git -C lib switch -q -c local; echo l > lib/l
git -C lib add l; git -C lib commit -qm l; git diff --submodule=log; git commit -qam bump; git submodule foreach -q 'git rev-parse --short HEAD'; cd ..
git clone -q --recurse-submodules super super2 2>/dev/null || git -C super2 submodule status; cd super; git submodule deinit -q -f lib; git submodule update -q --init; git mv lib libs; git commit -qm moved; git submodule summary HEAD~1 | cat
git rm -q libs; git commit -qm gone; git submodule status
## a bisect runs a script
git init -q bis; cd bis; for i in $(seq 1 16); do echo $i > n; git add n; git commit -qm "n $i"; done
git bisect start HEAD HEAD~15 > ../bisected; printf '#!/bin/sh\ntest "$(cat n)" -lt 11\n' > ../good.sh; chmod +x ../good.sh
git bisect run ../good.sh > ../bisected || true; grep -A4 'first bad' ../bisected || cat ../bisected; git bisect log | tail -2; git bisect reset 2>&1 | tail -1
## patches are formatted mailed and applied
cd r; git format-patch -q -o ../mail v0.9..HEAD; ls ../mail; git -C ../c5 reset -q --hard v0.9 2>/dev/null || git -C ../c5 reset -q --hard HEAD~2
git format-patch --stdout -1 > ../one.mbox; git -C ../c5 apply --check --stat ../one.mbox; git -C ../c5 am -q -3 ../mail/* 2>&1 || git -C ../c5 am --abort
git diff HEAD~1 --binary > ../d.patch; git apply -R --index ../d.patch; git status --short; git reset -q --hard; git -C ../c5 log --format=%s | head -3
git bundle create -q ../all.bundle --all; git bundle verify -q ../all.bundle; git clone -q ../all.bundle c8 -b main; git -C c8 log -1 --format=%h; rm -rf c8
## archives are made in every format
cd r; git archive --format=tar HEAD | tar t; git archive --format=tar.gz --prefix=p/ -o ../a.tgz HEAD; tar tzf ../a.tgz | wc -l; git archive --format=zip -o ../a.zip HEAD src; python3 -m zipfile -l ../a.zip
printf 'src/deep export-ignore\n*.txt text eol=crlf\n' > .gitattributes; git add .gitattributes; git commit -qm attributes; git archive HEAD | tar t | sort; printf 'a\n' > t.txt; git add t.txt; git commit -qm text; rm t.txt; git checkout -q t.txt; od -c t.txt | head -1
## a sparse check-out
git clone -q r sp; cd sp; git sparse-checkout init --cone; git sparse-checkout set src/deep; ls -A; ls src; git sparse-checkout add src; git sparse-checkout list; git ls-files -t | grep -c '^S' || true
git sparse-checkout set --no-cone '/*' '!src/deep'; find . -path ./.git -prune -o -type f -print | sort; git sparse-checkout disable; git status --short
## hooks run and refuse
git init -q hk; cd hk; for h in pre-commit commit-msg post-commit pre-push post-checkout pre-rebase post-merge; do printf '#!/bin/sh\necho hook %s "$#" >&2\n' $h > .git/hooks/$h; chmod +x .git/hooks/$h; done
echo 1 > f; git add f; git commit -qm one; git checkout -qb side; git switch -q main; git push -q ../hkb.git main 2>&1 || true; git init -q --bare ../hkb.git
printf '#!/bin/sh\nwhile read a b c; do echo got "$c"; done\n' > ../hkb.git/hooks/post-receive; chmod +x ../hkb.git/hooks/post-receive; git push ../hkb.git main 2>&1 | grep -c got
printf '#!/bin/sh\ngrep -q TODO "$1" && exit 1 || exit 0\n' > .git/hooks/commit-msg; echo 2 > f; git commit -qam TODO && exit 1; git commit -qam done; git commit -q --no-verify --allow-empty -m TODO; git log --format=%s
git config core.hooksPath ../hooks2; mkdir ../hooks2; printf '#!/bin/sh\necho other\n' > ../hooks2/pre-commit; chmod +x ../hooks2/pre-commit; git commit -qm x --allow-empty
## packs are collected repaired and checked
cd r; git gc -q --aggressive --prune=now; git count-objects -v | grep -v size; git repack -q -a -d -f --depth=5; git prune; git fsck --full --strict; git verify-pack .git/objects/pack/*.idx
git commit-graph write --reachable; git commit-graph verify; git multi-pack-index write; git multi-pack-index verify; git pack-refs --all --prune; git update-server-info; git maintenance run --task=loose-objects --quiet
git rev-list --objects --all | wc -l; git cat-file --batch-all-objects --batch-check | wc -l; git reflog expire --expire=now --all; git gc -q --prune=now; git fsck --unreachable
## searching and looking back
cd r; git grep -n -e left -e right HEAD -- src || true; git grep -c 1; git log -S five --format=%s; git log -L3,4:src/a --format=%s -s | cat; git blame -s src/a | head -4; git shortlog -sn HEAD; git log --follow --format=%h -- more
git diff --stat --color=always v0.9 HEAD; git diff --word-diff HEAD~3 -- src/a; git show HEAD:src/deep/b; git log --all --oneline --graph | cat; git whatchanged -1 --format=%s 2>/dev/null | cat; git range-diff main~2..main main~2..main
## plumbing
cd r; b=$(echo blob | git hash-object -w --stdin); git cat-file -p $b; git update-index --add --cacheinfo 100644,$b,plumbed; t=$(git write-tree); c=$(echo plumbed | git commit-tree $t -p HEAD); git update-ref refs/heads/plumbed $c; git reset -q --hard; git ls-tree -r plumbed | wc -l
git symbolic-ref HEAD; git rev-parse --git-dir --show-toplevel --is-inside-work-tree; GIT_INDEX_FILE=../idx git read-tree HEAD; GIT_INDEX_FILE=../idx git checkout-index -a --prefix=../exported/; find ../exported -type f | sort; git fast-export --all | git -C ../b.git fast-import --quiet --force; git notes add -m note; git notes show; git replace --list; git name-rev HEAD; git var GIT_AUTHOR_IDENT
## settings attributes and filters
cd r; git config --local filter.up.clean 'tr a-z A-Z'; git config filter.up.smudge 'tr A-Z a-z'; echo '*.up filter=up' >> .gitattributes; echo shout > s.up; git add s.up .gitattributes; git commit -qm filter; git show HEAD:s.up; rm s.up; git checkout -q s.up; cat s.up
git config --get-regexp 'filter.*'; git config --unset-all filter.up.clean; git config --rename-section filter.up filter.down; git config -l --local | sort; git config core.fileMode; chmod +x s.up; git diff --summary; git update-index --chmod=+x s.up; git commit -qm x; git ls-files -s s.up; git config core.fsmonitor false; git status --short; git ls-files --eol | head -3
## removing it all
rm -rf r c1 b.git; ls
