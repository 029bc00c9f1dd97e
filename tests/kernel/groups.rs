//! Process groups and the terminal of the owner's session: the target names its own, and no job of the owner's stops.

use crate::running::each;

/// Run by an owner who has a job in the foreground, and then gives the terminal to the command.
fn groups(world: &crate::support::World) -> String {
    world.write("{root}/bin/groups.py", include_str!("groups.py"));
    let start = "exec python3 -I {root}/bin/groups.py \"$@\"";
    let python = ["--mode", "supervised", "--", "/usr/bin/python3", "-I", "-S"];
    world
        .confined()
        .args(python)
        .args([include_str!("groups.py")])
        .after(start)
        .run()
        .works()
        .stdout
}

#[test]
fn the_target_neither_joins_a_group_of_the_owners_nor_takes_the_terminal_from_one() {
    each(|world| {
        let stdout = groups(&world);
        let expected = "\
join the owner's job Operation not permitted
child joins the owner's job Operation not permitted
take the terminal Operation not permitted
give the terminal to the owner's job Operation not permitted
a group of one's own ok
a group of one's own, by number ok
another process joins it ok
take the terminal for it Operation not permitted
back to the first group ok
no such group Operation not permitted
no child No such process
a negative group Invalid argument
the owner's job: S True True
give the terminal to a group of one's own ok
it has the terminal True
give the terminal to the owner's job Operation not permitted
take the terminal back ok
a terminal that is none Inappropriate ioctl for device
own session: a group ok
own session: its terminal ok
it has the terminal True
own session: the owner's job Operation not permitted
the owner's job: S True
ended 0
";
        assert_eq!(stdout, expected);
    });
}

#[test]
fn an_interactive_shell_inside_has_its_jobs_and_gives_the_terminal_back() {
    each(|world| {
        world.write("{root}/bin/shell.py", include_str!("shell.py"));
        let start = "exec python3 -I {root}/bin/shell.py \"$@\"";
        let bash = ["--mode", "supervised", "--", "bash", "--norc", "--noprofile", "-i"];
        let ran = world.confined().args(bash).after(start).run().works();
        assert_eq!(ran.stdout, "stopped\nwent on\nwaited\nouter reads\n", "{}", ran.stderr);
    });
}
