//! Running other programs.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

/// The command as a person would type it.
fn shown(command: &Command) -> String {
    let mut line = command.get_program().to_string_lossy().into_owned();
    for argument in command.get_args() {
        line.push(' ');
        line.push_str(&argument.to_string_lossy());
    }
    line
}

/// Runs with this process's own output; an error unless it succeeds.
pub(crate) fn run(command: &mut Command) -> Result<(), String> {
    println!("$ {}", shown(command));
    let status = command
        .status()
        .map_err(|error| format!("cannot run {}: {error}", shown(command)))?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("{}: {status}", shown(command)))
    }
}

/// Runs, printing each line of standard output and handing it to `on_line`.
pub(crate) fn run_watched(
    command: &mut Command,
    mut on_line: impl FnMut(&str),
) -> Result<(), String> {
    println!("$ {}", shown(command));
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| format!("cannot run {}: {error}", shown(command)))?;
    if let Some(stdout) = child.stdout.take() {
        let mut reader = BufReader::new(stdout);
        let mut line = Vec::new();
        // By bytes: a test may print what is not UTF-8.
        while reader
            .read_until(b'\n', &mut line)
            .map_err(|error| error.to_string())?
            > 0
        {
            let text = String::from_utf8_lossy(&line);
            print!("{text}");
            on_line(text.trim_end());
            line.clear();
        }
    }
    let status = child.wait().map_err(|error| error.to_string())?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("{}: {status}", shown(command)))
    }
}

/// Runs quietly and returns standard output; an error unless it succeeds.
pub(crate) fn output(command: &mut Command) -> Result<String, String> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("cannot run {}: {error}", shown(command)))?;
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{}: {}\n{stderr}", shown(command), output.status));
    }
    String::from_utf8(output.stdout).map_err(|_| format!("{}: output not UTF-8", shown(command)))
}

/// Whether the program runs and succeeds.
pub(crate) fn succeeds(program: &str, arguments: &[&str]) -> bool {
    output(Command::new(program).args(arguments)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn run_reports_failure_and_absence() {
        assert_eq!(run(&mut Command::new("true")), Ok(()));
        run(&mut Command::new("false")).unwrap_err();
        output(&mut Command::new("no-such-program-here")).unwrap_err();
    }

    #[test]
    fn run_watched_hands_over_every_line_and_the_failure() {
        let mut lines = Vec::new();
        let outcome = run_watched(
            Command::new("sh").args(["-c", "printf 'a\\nb\\n\\377\\n'; exit 3"]),
            |line| lines.push(line.to_owned()),
        );
        outcome.unwrap_err();
        assert_eq!(lines, ["a", "b", "\u{fffd}"]);
    }
}
