//! Spellings of a path, and names that are not text: what counts is the object that the kernel reaches.

use std::os::unix::ffi::OsStrExt;

use crate::support::{CANARY, for_every_user};

#[test]
fn a_directory_whose_name_begins_like_an_allowed_one_is_closed() {
    // CVE-2025-53110: `/work` against `/work-evil`.
    for_every_user(|world| {
        world.policy("allowed_paths: ['~/work']");
        world.write("~/work-evil/key", CANARY);
        world.write("~/workshop", CANARY);
        world.expect(
            "
            read        ~/work-evil/key                   EACCES
            write       ~/work-evil/key                   EACCES
            create      ~/work-evil/new                   EACCES
            list        ~/work-evil                       EACCES
            read        ~/workshop                        EACCES
            create      ~/work2                           EACCES
            read        ~/work/note                       ok
            ",
        );
    });
}

#[test]
fn dots_and_slashes_in_a_path_change_nothing() {
    for_every_user(|world| {
        world.policy("allowed_paths: ['~/work', '~/other']");
        world.mkdir("~/work/sub");
        world.write("~/other/file", "x");
        world.expect(
            "
            read        ~/work/../secret/key              EACCES
            read        ~/work/sub/../../secret/key       EACCES
            read        ../secret/key                     EACCES
            read        {home}//secret///key              EACCES
            read        ~/./secret/./key                  EACCES
            read        ~/secret/key/                     ENOTDIR
            list        ~/secret/                         EACCES
            write       ../secret/../secret/key           EACCES
            create      ../secret/new                     EACCES
            mkdir       ../secret/new/                    EACCES
            unlink      ../secret/key                     EACCES
            cat         ~/secret/../work/note             note
            cat         ~//work/./note                    note
            read        ../other/file                     ok
            directory   ~/work/                           ok
            read        /../../{home}/work/note           ok
            read        /../../{home}/secret/key          EACCES
            ",
        );
    });
}

#[test]
fn names_that_are_not_text_are_names_like_any_other() {
    for_every_user(|world| {
        let home = world.home();
        let at = |name: &[u8]| [home.as_os_str().as_bytes(), b"/", name].concat();
        for name in
            [&b"work/\xff\xfe"[..], b"work/two\nlines", b"work/gone (deleted)", b"caf\xe9/note"]
        {
            world.write_bytes(&at(name), "open");
        }
        for name in [&b"secret/\xff\xfe"[..], b"secret/two\nlines", b"caf\xe8/note", b"work\n/note"]
        {
            world.write_bytes(&at(name), CANARY);
        }
        // YAML is UTF-8: other bytes are written as `!!binary`.
        let binary =
            base64::Engine::encode(&base64::engine::general_purpose::STANDARD, at(b"caf\xe9"));
        world.policy(&format!("allowed_paths: ['~/work', !!binary '{binary}']"));
        world.expect(
            r"
            cat         ~/work/\xff\xfe                   open
            cat         ~/work/two\nlines                 open
            cat         ~/work/gone\s(deleted)            open
            cat         ~/caf\xe9/note                    open
            create      ~/work/\x01\xff                   ok
            read        ~/secret/\xff\xfe                 EACCES
            read        ~/secret/two\nlines               EACCES
            read        ~/caf\xe8/note                    EACCES
            read        ~/work\n/note                     EACCES
            ",
        );
    });
}

#[test]
fn the_case_of_a_name_matters() {
    for_every_user(|world| {
        world.policy("allowed_paths: ['~/work']");
        world.write("~/Work/key", CANARY);
        world.expect(
            "
            read        ~/Work/key                        EACCES
            read        ~/work/note                       ok
            ",
        );
    });
}

#[test]
fn a_path_longer_than_the_kernel_takes_opens_nothing() {
    for_every_user(|world| {
        world.policy("allowed_paths: ['~/work']");
        let long = "../secret/".repeat(500);
        world.expect(&format!(
            "
            read        ~/work/{long}key                  ENAMETOOLONG
            read        ~/work/note                       ok
            "
        ));
    });
}
