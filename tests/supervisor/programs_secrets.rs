//! `.env` files and the secrets of the home directory, under the built-in default policy: whatever is done with them, no
//! byte is read, and what may be done with their names works.

use crate::programs::bare;
use crate::support::{CANARY, Ran, World, for_every_user};

/// The output and the world of a script that begins with secrets everywhere; `CANARY` is in no output.
fn script(world: &World, script: &str) -> Ran {
    for secret in ["~/.ssh/id_ed25519", "~/.aws/credentials", "~/work/.env", "~/work/a/b/.env"] {
        world.write(secret, CANARY);
    }
    world.write("~/work/a/b/.env.production", CANARY);
    world.write("~/work/a/b/.env.example", "EXAMPLE=1\n");
    let ran = world.shim_with(["-q"]).command(["bash", "-c", &world.text(script)]);
    assert!(!ran.stdout.contains(CANARY) && !ran.stderr.contains(CANARY), "{ran:#?}");
    ran
}

#[test]
fn secrets_of_the_tree_and_of_the_home_directory_are_read_by_no_program() {
    for_every_user(|world| {
        let ran = script(
            &world,
            "for secret in .env a/b/.env a/b/.env.production ~/.ssh/id_ed25519 ~/.aws/credentials; do
                cat $secret; head -c 5 < $secret; cp $secret copy; ln $secret hard; dd if=$secret status=none; grep -r . $secret
                ln -sf \"$(realpath $secret)\" link; cat link; tar cf t $secret; base64 $secret; . ./$secret; mv $secret plain && cat plain
                /usr/bin/python3 -c \"print(open('$secret').read())\"; node -p \"fs.readFileSync('$secret', 'utf8')\"
                perl -pe 1 $secret; sed -i s/c/d/ $secret; curl -s file://$(realpath $secret); git hash-object $secret; git diff --no-index /dev/null $secret
                [ -r $secret ] && echo $secret is readable
            done 2>/dev/null; cat a/b/.env.example; ls copy hard plain 2>/dev/null",
        );
        assert_eq!(ran.stdout, "EXAMPLE=1\n", "{ran:#?}");
        for secret in ["~/.ssh/id_ed25519", "~/.aws/credentials", "~/work/.env", "~/work/a/b/.env"]
        {
            assert_eq!(world.read(secret), CANARY, "{secret}");
        }
    });
}

#[test]
fn a_blocked_file_that_is_made_copied_or_moved_later_is_blocked_where_it_is_then() {
    for_every_user(|world| {
        let ran = script(
            &world,
            "set -e
            mkdir new; cp a/b/.env.example new/.env; echo SECRET=1 >> new/.env; stat -c %s new/.env
            printf x > new/tmp; mv new/tmp new/.env.local; git init -q repository; echo y > repository/.env.test
            mv a moved; mv moved/b here; mkdir -p deep/er; mv here deep/er/; mv new deep/
            find . -path ./repository/.git -prune -o -name '.env*' -type f -print | sort | while read -r file; do
                cat $file >/dev/null 2>&1 && echo $file is read || echo $file is denied
            done",
        );
        let expected = "19\n./.env is denied\n./deep/er/here/.env is denied\n./deep/er/here/.env.example is read\n\
            ./deep/er/here/.env.production is denied\n./deep/new/.env is denied\n./deep/new/.env.local is denied\n\
            ./repository/.env.test is denied\n";
        assert_eq!(ran.works().stdout, expected);
        assert_eq!(world.read("~/work/deep/new/.env"), "EXAMPLE=1\nSECRET=1\n");
    });
}

#[test]
fn a_clone_with_a_blocked_file_is_checked_out_and_the_file_cannot_be_read() {
    for_every_user(|world| {
        let settings =
            "[user]\n\tname = A\n\temail = a@example.org\n[init]\n\tdefaultBranch = main\n";
        world.write("~/.gitconfig", settings);
        world.write("~/work/origin/.env", CANARY);
        world.write("~/work/origin/file", "file\n");
        let commit = "cd origin && git init -q && git add -A && git commit -qm one && rm .env";
        let made = bare(&world, commit);
        assert!(made.status.success(), "{made:#?}");
        let ran = script(
            &world,
            "git clone -q origin clone && cat clone/file; cat clone/.env || stat -c %s clone/.env",
        );
        assert_eq!(ran.works().stdout, format!("file\n{}\n", CANARY.len()));
        assert_eq!(world.read("~/work/clone/.env"), CANARY);
    });
}
