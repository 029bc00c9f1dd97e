//! `--html`: what is in the file. How a browser sees it is tests/e2e/log.

use std::os::unix::fs::MetadataExt;

use serde_json::json;

use super::{Lines, log, two_runs, world};
use crate::support::{World, for_every_user};

const HOSTILE: &str = "/w/</script><script>x()</script><img src=x onerror=\"x()\" '>&";

fn hostile() -> World {
    let rule = json!({ "effect": "<i>", "pattern": HOSTILE, "origin": HOSTILE, "line": 1 });
    let lines = Lines::default()
        .started("<b>-x", 0, &[HOSTILE])
        .denied_by("<b>-x", 1, "</td><u>", "r", HOSTILE, rule)
        .ended("<b>-x", 2, 0);
    world(lines)
}

#[test]
fn every_user_gets_a_page_of_his_own_run() {
    for_every_user(|world| {
        world.policy("allowed_paths: ['~/work']");
        world.sh("cat {home}/secret/key; :").works();
        let ran = log(&world, &["--html", "page.html"]).works();
        ran.prints([world.text("{home}/work/page.html: 1 denials in 1 rows")]).says(["browser"]);
        let metadata = world.path("~/work/page.html").metadata().unwrap();
        assert_eq!((metadata.mode() & 0o777, metadata.uid()), (0o600, world.user.uid));
        let page = world.read("~/work/page.html");
        assert!(
            page.contains(&world.text("{home}/secret/key")) && page.contains("nothing allows it")
        );
    });
}

#[test]
fn no_name_becomes_markup() {
    let world = hostile();
    log(&world, &["--html", "page.html"]).works();
    let page = world.read("~/work/page.html");
    for markup in ["<img", "<u>", "<i>", "<b>-x", "onerror=\"", "<script>x"] {
        assert!(!page.contains(markup), "{markup}");
    }
    assert_eq!(page.matches("<script").count(), 1);
    assert_eq!(page.matches("</script>").count(), 1);
    let text = "/w/&lt;/script&gt;&lt;script&gt;x()&lt;/script&gt;&lt;img src=x onerror=&quot;x()&quot; &#39;&gt;&amp;";
    assert!(page.contains(&format!("data-sort=\"{text}\">{text}</td>")), "{page}");
}

#[test]
fn the_page_allows_itself_and_nothing_else() {
    let world = hostile();
    let nonce = |file: &str| {
        log(&world, &["--html", file]).works();
        let page = world.read(&format!("~/work/{file}"));
        let start = "content=\"default-src 'none'; style-src 'nonce-";
        let nonce = page.split(start).nth(1).unwrap().split('\'').next().unwrap().to_owned();
        assert!(page.contains(&format!(
            "{start}{nonce}'; script-src 'nonce-{nonce}'; base-uri 'none'; form-action 'none'\">"
        )));
        assert_eq!(page.matches(&format!(" nonce=\"{nonce}\">")).count(), 2);
        assert!(!page.contains("http://") && !page.contains("https://") && !page.contains("url("));
        nonce
    };
    let (one, two) = (nonce("one.html"), nonce("two.html"));
    assert!(one.len() >= 22 && one != two, "{one} {two}");
}

#[test]
fn a_file_that_is_there_stays_unless_it_is_to_be_replaced() {
    let world = world(two_runs());
    log(&world, &["--html", "note"]).ends(125).says(["is there already", "--force"]);
    assert_eq!(world.read("~/work/note"), "note\n");
    world.symlink("~/secret/key", "~/work/link.html");
    log(&world, &["--html", "link.html"]).ends(125);
    let json = log(&world, &["--html", "link.html", "--force", "--json"]).works().json();
    let file = world.text("{home}/work/link.html");
    assert_eq!(json, json!({ "html": file, "denials": 7, "rows": 3, "left_out": 0 }));
    assert_eq!(world.read("~/secret/key"), crate::support::CANARY, "a link was followed");
    log(&world, &["--html", "{home}/none/page.html"]).ends(125).says(["cannot be written"]);
    log(&world, &["--html", "{home}"]).ends(125).says(["is a directory"]);
    log(&world, &["--force"]).ends(125);
}

#[test]
fn a_page_of_what_was_asked_for_says_what_that_was() {
    let world = world(two_runs());
    log(&world, &["--html", "page.html", "--command", "cat", "--since", "2026-11-22"]).works();
    let page = world.read("~/work/page.html");
    assert!(page.contains(
        "Only what was asked for: <code>--since 2026-11-22 00:00:00 --command cat</code>"
    ));
    assert!(page.contains("/h/p/.env") && !page.contains("/h/.bashrc") && !page.contains(">make "));
    log(&world, &["--html", "some.html", "-n", "1"])
        .works()
        .says(["2 older rows are not in the page"]);
    assert!(world.read("~/work/some.html").contains("2 older rows are left out"));
    log(&world, &["--html", "none.html", "--path", "/none"]).works();
    assert!(world.read("~/work/none.html").contains("Nothing to show"));
}
