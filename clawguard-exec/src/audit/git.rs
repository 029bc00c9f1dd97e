//! Git repositories that an agent could have written and that make the owner's git run something: settings, hooks, and
//! lists of commands to go on with.
//!
//! git itself is not run, and nothing that a repository names is followed.

#![forbid(unsafe_code)]

use clawguard_core::{AbsPath, Access, GitSetting, escape, quote};

use super::finding::{Finding, Severity};
use super::id::Id;
use super::law::View;
use super::walk::Entry;

/// More than git writes into a configuration.
const LONGEST: usize = 1 << 20;

/// Settings that name a program to run, or a place to connect to; the subsection left out.
const RUN: [(&[u8], &[&[u8]]); 22] = [
    (
        b"core",
        &[
            b"alternaterefscommand",
            b"askpass",
            b"editor",
            b"fsmonitor",
            b"gitproxy",
            b"hookspath",
            b"pager",
            b"sshcommand",
        ],
    ),
    (b"browser", &[b"cmd", b"path"]),
    (b"credential", &[b"helper"]),
    (b"diff", &[b"command", b"external", b"textconv"]),
    (b"difftool", &[b"cmd", b"path"]),
    (b"filter", &[b"clean", b"process", b"smudge"]),
    (b"gpg", &[b"defaultkeycommand", b"program"]),
    (b"hook", &[b"command"]),
    (b"include", &[b"path"]),
    (b"includeif", &[b"path"]),
    (b"interactive", &[b"difffilter"]),
    (b"man", &[b"cmd", b"path"]),
    (b"merge", &[b"driver"]),
    (b"mergetool", &[b"cmd", b"path"]),
    (b"remote", &[b"receivepack", b"uploadpack", b"vcs"]),
    (b"sendemail", &[b"cccmd", b"sendmailcmd", b"smtpserver", b"tocmd"]),
    (b"sequence", &[b"editor"]),
    (b"submodule", &[b"update"]),
    (b"tar", &[b"command"]),
    (b"trailer", &[b"cmd", b"command"]),
    (b"uploadpack", &[b"packobjectshook"]),
    (b"url", &[b"insteadof", b"pushinsteadof"]),
];

/// What one file of a walk makes the owner's git run; nothing if no agent may have written it.
pub(crate) fn check(entry: &Entry<'_>, view: &mut View) -> Option<Finding> {
    let directory = entry.path.parent()?;
    let (git, what) = match entry.name() {
        b"config" | b"config.worktree" => (directory, settings(entry)),
        b"git-rebase-todo" => (directory.parent()?, todo(entry)),
        name => match directory.file_name() {
            Some(b"hooks") => (directory.parent()?, hook(entry, name)),
            _other => return None,
        },
    };
    let what = what.filter(|_| is_git_directory(&git))?;
    let rule = view.allows(entry.path, Access::Write)?;
    let who = view.who();
    let reason = format!(
        "{who} may have written this, and git that is run outside in this repository, or around it where it is a \
         submodule, follows it: {what}; {rule}"
    );
    let finding = Finding::of_path(Id::GitRuns, Severity::Warning, entry.path, reason);
    Some(finding.command(format!("less {}", quote(entry.path.as_bytes()))))
}

/// As git decides it: a worktree's has no objects of its own.
fn is_git_directory(git: &AbsPath) -> bool {
    let has = |name: &[u8]| std::fs::symlink_metadata(git.join(name).as_path()).is_ok();
    has(b"HEAD") && (has(b"commondir") || (has(b"objects") && has(b"refs")))
}

/// The settings that name what is run.
fn settings(entry: &Entry<'_>) -> Option<String> {
    let settings = GitSetting::all(&entry.head(LONGEST));
    let mut names: Vec<String> = settings.iter().filter(|one| runs(one)).map(name).collect();
    names.sort();
    names.dedup();
    let few = names.iter().take(4).cloned().collect::<Vec<_>>().join(", ");
    let more =
        if names.len() > 4 { format!(" and {} more", names.len() - 4) } else { String::new() };
    (!names.is_empty()).then(|| format!("{few}{more}"))
}

fn name(setting: &GitSetting) -> String {
    let parts = [&setting.section, &setting.subsection, &setting.key];
    let parts: Vec<String> =
        parts.iter().filter(|part| !part.is_empty()).map(|part| escape(part)).collect();
    parts.join(".")
}

fn runs(setting: &GitSetting) -> bool {
    let GitSetting { section, key, value, .. } = setting;
    let is_command = value.starts_with(b"!");
    match section.as_slice() {
        b"alias" => is_command,
        b"submodule" if key == b"update" => is_command,
        b"remote" if key == b"url" || key == b"pushurl" => value.starts_with(b"ext::"),
        b"pager" => !is_bool(value),
        b"core" if key == b"fsmonitor" => !is_bool(value),
        section => {
            RUN.iter().any(|(name, keys)| *name == section && keys.contains(&key.as_slice()))
        }
    }
}

fn is_bool(value: &[u8]) -> bool {
    let words: [&[u8]; 9] = [b"", b"0", b"1", b"false", b"no", b"off", b"on", b"true", b"yes"];
    words.iter().any(|word| value.eq_ignore_ascii_case(word))
}

/// The commands that `git rebase --continue` would run.
fn todo(entry: &Entry<'_>) -> Option<String> {
    let text = entry.head(LONGEST);
    let command = |line: &&[u8]| {
        line.trim_ascii_start()
            .split(u8::is_ascii_whitespace)
            .next()
            .is_some_and(|word| word == b"exec" || word == b"x")
    };
    let count = text.split(|byte| *byte == b'\n').filter(command).count();
    let lines = if count == 1 { "a line" } else { "lines" };
    (count > 0).then(|| format!("{lines} with `exec` at the next `git rebase --continue`"))
}

/// A hook; git ignores those that cannot be executed.
fn hook(entry: &Entry<'_>, name: &[u8]) -> Option<String> {
    let is_executable = entry.stat.st_mode & 0o111 != 0;
    let is_hook = is_executable && !name.contains(&b'.');
    is_hook.then(|| format!("the hook {}", escape(name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<String> {
        let settings = GitSetting::all(text.as_bytes());
        settings.iter().filter(|one| runs(one)).map(name).collect()
    }

    #[test]
    fn settings_that_run_something_are_told_apart_from_the_others() {
        let text = "[core]\n\tbare = false\n\tfsmonitor = ./x\n[filter \"q\"]\n\tclean = x\n[alias]\n\ta = !x\n\tb = status\n\
            [diff \"d\"]\n\ttextconv = x\n[remote \"o\"]\n\turl = https://x\n\tfetch = +refs/*\n[remote \"e\"]\n\turl = ext::x\n\
            [submodule \"s\"]\n\tupdate = !x\n\turl = x\n[submodule \"t\"]\n\tupdate = checkout\n[pager]\n\tlog = false\n\tdiff = x\n\
            [includeIf \"gitdir:x\"]\n\tpath = y\n[user]\n\tname = x\n[hook \"h\"]\n\tcommand = x\n";
        let expected = "core.fsmonitor filter.q.clean alias.a diff.d.textconv remote.e.url submodule.s.update pager.diff \
            includeif.gitdir:x.path hook.h.command";
        assert_eq!(found(text).join(" "), expected);
        assert!(found("[core]\n\tfsmonitor = true\n").is_empty());
    }

    #[test]
    fn names_of_the_list_are_in_order_and_in_lower_case() {
        for (section, keys) in RUN {
            assert!(keys.is_sorted(), "{section:?}");
            assert!(keys.iter().all(|key| !key.iter().any(u8::is_ascii_uppercase)));
        }
    }
}
