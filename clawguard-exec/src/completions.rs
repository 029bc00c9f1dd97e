//! `completions`: what completes this command line in a shell, made from its own description.

#![forbid(unsafe_code)]

use std::io::Write;

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use crate::cli::Cli;
use crate::exit::{Exit, Failure};

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  clawguard-exec completions bash >~/.local/share/bash-completion/completions/clawguard-exec
  clawguard-exec completions zsh >~/.zfunc/_clawguard-exec
  clawguard-exec completions fish >~/.config/fish/completions/clawguard-exec.fish

For zsh, the directory must be in its fpath: `fpath+=~/.zfunc` before `compinit` in ~/.zshrc.")]
pub(crate) struct CompletionsArguments {
    /// For this shell
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

pub(crate) fn completions(arguments: &CompletionsArguments) -> Result<Exit, Failure> {
    let mut text = Vec::new();
    clap_complete::generate(arguments.shell, &mut Cli::command(), "clawguard-exec", &mut text);
    // clap_complete 4.6.11 for bash takes the hyphen of the name for the beginning of a task in one of two places, so
    // that nothing after a task would be completed.
    let text = String::from_utf8(text)?.replace("clawguard__subcmd__exec", "clawguard__exec");
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()?;
    Ok(Exit::Done)
}
