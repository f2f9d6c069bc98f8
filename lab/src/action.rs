//! What a person can do in a run: the words of the command line and of the live console.

use scenarios::Stage;

/// Carries out one command. Every value goes over the network, through the operator's station.
///
/// Commands: `write TAG VALUE`, `acknowledge TAG`, `safe-stop`, `attend`. Says in a sentence what was done; an error says what to
/// write instead.
pub(crate) fn act(stage: &Stage, command: &str) -> Result<String, String> {
    let words: Vec<&str> = command.split_whitespace().collect();
    match words[..] {
        ["write", tag, value] => {
            let value: f64 = value
                .parse()
                .ok()
                .filter(|value: &f64| value.is_finite())
                .ok_or_else(|| format!("{value:?} is not a number; write it as in: write NAOH.SP 100"))?;
            stage.operator_write(tag, value).map_err(|error| error.to_string())?;
            Ok(format!("the operator's station writes {value} to {tag}"))
        }
        ["acknowledge", tag] => {
            stage.operator_acknowledge(tag).map_err(|error| error.to_string())?;
            Ok(format!("alarm {tag} is acknowledged"))
        }
        ["safe-stop"] => {
            let writes = stage.operator_safe_stop().map_err(|error| error.to_string())?;
            Ok(format!("safe stop: the operator's station writes {writes} values"))
        }
        ["attend"] => {
            stage.operator_attends();
            Ok("a person sits at the operator's station: alarms wait for them".to_owned())
        }
        _ => Err(format!(
            "unknown command {command:?}; write TAG VALUE sets a value at the operator's station, acknowledge TAG acknowledges an alarm there"
        )),
    }
}
