//! `--version`: which clawguard this is, and what it can do on this kernel. Never fails.

#![forbid(unsafe_code)]

use std::ffi::OsString;
use std::fmt::Write as _;
use std::io::Write as _;

use clawguard_core::{KernelSupport, Notification, escape};
use serde::Serialize;

/// What clap shows for `--version`, and `-V` does not: [`print()`] takes its place, since the kernel need not be asked
/// before it is wanted.
pub(crate) const LONG_VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), " on this kernel");

/// Was the long answer asked for?
pub(crate) fn is_long(answer: &clap::Error) -> bool {
    answer.render().to_string().contains(LONG_VERSION)
}

/// For whom it is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Text,
    Json,
}

impl Form {
    /// `--json` before or behind `--version`. What follows `--` belongs to a command.
    pub(crate) fn of(words: impl IntoIterator<Item = OsString>) -> Form {
        let mut words = words.into_iter().take_while(|word| word != "--");
        if words.any(|word| word == "--json") { Form::Json } else { Form::Text }
    }
}

/// Says it on stdout. Who closed that does not want to know.
pub(crate) fn print(form: Form) {
    let text = match form {
        Form::Text => text(),
        Form::Json => serde_json::to_string(&Document::new()).unwrap_or_default() + "\n",
    };
    let _ = std::io::stdout().lock().write_all(text.as_bytes());
}

/// `--version --json`. Field names are a promise.
#[derive(Serialize)]
struct Document {
    version: &'static str,
    kernel: String,
    /// None where it is unknown what the kernel supports.
    landlock_abi: Option<u32>,
    landlock_abi_needed: u32,
    landlock_errata: Option<Vec<u32>>,
    user_notification: Option<&'static str>,
    ptrace_scope: Option<u8>,
    mode_supervised: bool,
    mode_kernel: bool,
    missing: Vec<String>,
    is_confined: bool,
}

impl Document {
    fn new() -> Document {
        let kernel = KernelSupport::probe();
        let missing = match &kernel {
            Ok(kernel) => kernel.lacks_for_supervision().iter().map(ToString::to_string).collect(),
            Err(error) => vec![error.to_string()],
        };
        let kernel = kernel.ok();
        Document {
            version: env!("CARGO_PKG_VERSION"),
            kernel: escape(release().as_bytes()),
            landlock_abi: kernel.as_ref().map(|kernel| kernel.landlock_abi),
            landlock_abi_needed: KernelSupport::FULL_ABI,
            landlock_errata: KernelSupport::landlock_errata(),
            user_notification: kernel.as_ref().map(|kernel| match kernel.notification {
                Notification::Killable => "killable",
                Notification::Interruptible => "interruptible",
                Notification::Missing => "missing",
            }),
            ptrace_scope: kernel.as_ref().and_then(|kernel| kernel.ptrace_scope),
            mode_supervised: missing.is_empty(),
            mode_kernel: kernel.is_some_and(|kernel| kernel.landlock_abi > 0),
            missing,
            is_confined: clawguard_core::is_confined(),
        }
    }
}

/// What uname(2) says, in one line.
fn release() -> String {
    let release = rustix::system::uname();
    format!(
        "{} {} {}",
        release.sysname().to_string_lossy(),
        release.release().to_string_lossy(),
        release.machine().to_string_lossy()
    )
}

fn text() -> String {
    let mut text = format!("clawguard-exec {}\n", env!("CARGO_PKG_VERSION"));
    let _ = writeln!(text, "\nKernel:             {}", escape(release().as_bytes()));
    match KernelSupport::probe() {
        Ok(kernel) => describe(&kernel, KernelSupport::landlock_errata(), &mut text),
        Err(error) => {
            let _ = writeln!(text, "What it supports is unknown: {error}");
        }
    }
    if clawguard_core::is_confined() {
        text.push_str("This process is confined by clawguard already, so what it sees is not all that there is.\n");
    }
    text
}

fn describe(kernel: &KernelSupport, errata: Option<Vec<u32>>, text: &mut String) {
    let landlock = match kernel.landlock_abi {
        0 => "none".to_owned(),
        abi => format!("ABI {abi} ({} or newer is needed)", KernelSupport::FULL_ABI),
    };
    let errata = match errata {
        None => "unknown (told since Linux 6.15)".to_owned(),
        Some(fixed) if fixed.is_empty() => "none put right".to_owned(),
        Some(fixed) => {
            let fixed: Vec<String> = fixed.iter().map(u32::to_string).collect();
            format!("put right: {}", fixed.join(", "))
        }
    };
    let notification = match kernel.notification {
        Notification::Killable => "waits for its answer",
        Notification::Interruptible => "does not wait for its answer (Linux 5.19 does)",
        Notification::Missing => "none",
    };
    let scope = match kernel.ptrace_scope {
        None => "no Yama".to_owned(),
        Some(scope @ 0..=1) => format!("{scope} (0 or 1 is needed)"),
        Some(scope) => format!("{scope} (0 or 1 is needed: sysctl kernel.yama.ptrace_scope=1)"),
    };
    let lacks = kernel.lacks_for_supervision();
    let supervised = if lacks.is_empty() { "works here" } else { "refused here" };
    let alone = match kernel.landlock_abi {
        0 => "refused here",
        _ => "works here; it denies more and leaves open what it prints",
    };
    let rows = [
        ("Landlock:", landlock),
        ("Landlock errata:", errata),
        ("User notification:", notification.to_owned()),
        ("ptrace_scope:", scope),
        ("Mode supervised:", supervised.to_owned()),
        ("Mode kernel:", alone.to_owned()),
    ];
    for (name, value) in rows {
        let _ = writeln!(text, "{name:19} {value}");
    }
    for lack in lacks {
        let _ = writeln!(text, "Missing:            {lack}");
    }
}

#[cfg(test)]
mod tests {
    use clawguard_core::Arch;

    use super::*;

    #[test]
    fn an_old_kernel_is_told_what_it_lacks_and_a_new_one_nothing() {
        let of = |landlock_abi, ptrace_scope, notification| {
            let kernel =
                KernelSupport { landlock_abi, ptrace_scope, notification, arch: Arch::X86_64 };
            let mut text = String::new();
            describe(&kernel, None, &mut text);
            text
        };
        let new = of(7, Some(1), Notification::Killable);
        assert!(
            new.contains("Mode supervised:    works here") && !new.contains("Missing"),
            "{new}"
        );
        let old = of(3, Some(2), Notification::Missing);
        assert!(old.contains("Mode supervised:    refused here\nMode kernel:        works here"));
        for lack in ["signals to processes outside", "user notification", "ptrace_scope is 2"] {
            let is_told = |line: &str| line.starts_with("Missing:") && line.contains(lack);
            assert!(old.lines().any(is_told), "{lack}: {old}");
        }
        let none = of(0, None, Notification::Killable);
        assert!(none.contains("Mode kernel:        refused here") && none.contains("no Landlock"));
    }
}
