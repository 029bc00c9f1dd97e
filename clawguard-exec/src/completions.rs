//! `completions`: what completes this command line in a shell, made from its own description.

#![forbid(unsafe_code)]

use std::io::Write;

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use crate::cli::Cli;
use crate::exit::{Exit, Failure};

/// For bash: behind `--` stand a command and its arguments, and completions of its own, if bash-completion is there.
const BEHIND_DASHES: &str = r#"
_clawguard__exec_or_command() {
    local at
    for ((at = 1; at < COMP_CWORD; at++)); do
        [[ ${COMP_WORDS[at]} == -- ]] || continue
        if declare -F _comp_command_offset >/dev/null; then
            _comp_command_offset $((at + 1))
        elif declare -F _command_offset >/dev/null; then
            _command_offset $((at + 1))
        elif ((COMP_CWORD == at + 1)); then
            compopt -o filenames 2>/dev/null || true
            mapfile -t COMPREPLY < <(compgen -c -- "$2"; compgen -f -- "$2")
        else
            compopt -o filenames 2>/dev/null || true
            mapfile -t COMPREPLY < <(compgen -f -- "$2")
        fi
        return 0
    done
    _clawguard__exec "$@"
}
complete -F _clawguard__exec_or_command -o bashdefault -o default clawguard-exec
"#;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cd ~/.local/share/bash-completion/completions
  clawguard-exec completions bash >clawguard-exec

  clawguard-exec completions zsh >~/.zfunc/_clawguard-exec

  cd ~/.config/fish/completions
  clawguard-exec completions fish >clawguard-exec.fish

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
    if arguments.shell == Shell::Bash {
        out.write_all(BEHIND_DASHES.as_bytes())?;
    }
    out.flush()?;
    Ok(Exit::Done)
}
