//! The reveal: what really happened, which frames did it, and what it did to the plant, with and without.

use std::fmt::Write as _;

use record::{RunManifest, TruthStep, Verdict, VirtualTime};
use scenarios::Scenario;

use crate::twin::{Fate, Trend};

/// Word and letter of a verdict.
pub(crate) fn verdict_word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Attack => "A attack",
        Verdict::Fault => "F fault",
        Verdict::Authorised => "W authorised",
    }
}

/// The whole story of a run in plain text.
pub(crate) fn tell(
    scenario: &Scenario,
    truth: &[TruthStep],
    manifest: &RunManifest,
    actual: &Fate,
    clean: &Fate,
) -> String {
    let mut text = String::from("\nWhat happened (EXERCISE):\n");
    // Writing to a String cannot fail.
    for step in truth {
        let at = manifest.start.time_of_day(step.start);
        let _ = writeln!(text, "  {at}  {:12}  {}", verdict_word(step.verdict), step.summary);
        let details = details(step);
        if !details.is_empty() {
            let _ = writeln!(text, "            {details}");
        }
        if let Some(event) = scenario.texts().event.get(event_name(&step.step)) {
            let _ = writeln!(text, "            {}", wrap(&event.reveal, 12));
        }
        for consequence in &step.consequences {
            let at = manifest.start.time_of_day(consequence.time);
            let _ =
                writeln!(text, "            -> {at}  {} ({})", consequence.name, consequence.point.name());
        }
    }
    // "Without" is the run without the attack: where there was none, there is nothing to hold side by side.
    if truth.iter().any(|step| step.verdict == Verdict::Attack) {
        text.push_str(&side_by_side(manifest, actual, clean));
    } else {
        let _ = writeln!(text, "\nHarm: {:.0} {}. Nobody attacked.", actual.harm.total, actual.harm.currency);
    }
    text
}

/// Events that repeat are named `ID#N`.
fn event_name(step: &str) -> &str {
    step.split_once('#').map_or(step, |(name, _)| name)
}

fn details(step: &TruthStep) -> String {
    let mut parts = Vec::new();
    if !step.techniques.is_empty() {
        let named: Vec<String> = step
            .techniques
            .iter()
            .map(|id| match record::attack::technique(id) {
                Some(technique) => format!("{id} {}", technique.name),
                None => id.clone(),
            })
            .collect();
        parts.push(named.join(", "));
    }
    if let Some(ticket) = &step.ticket {
        parts.push(format!("ticket {ticket}"));
    }
    match &step.frames[..] {
        [] => {}
        [one] => parts.push(format!("frame {one}")),
        many => parts.push(format!("{} frames, {} to {}", many.len(), many[0], many[many.len() - 1])),
    }
    parts.join("; ")
}

/// Values and harm of two fates side by side.
pub(crate) fn side_by_side(manifest: &RunManifest, actual: &Fate, clean: &Fate) -> String {
    let mut text = String::new();
    let changed = actual.trend.changed_against(&clean.trend);
    if !changed.is_empty() {
        let _ = writeln!(text, "\nThe plant with it, and without it (same seed):");
        let _ = write!(text, "  {:10}", "time");
        for tag in &changed {
            let _ = write!(text, "  {tag:>10} {:>10}", "without");
        }
        text.push('\n');
        for at in moments(&actual.trend, manifest.duration) {
            let _ = write!(text, "  {:10}", manifest.start.time_of_day(at));
            for tag in &changed {
                let value = |trend: &Trend| {
                    trend.value(tag, at).map_or_else(|| "-".to_owned(), |value| format!("{value:.2}"))
                };
                let _ = write!(text, "  {:>10} {:>10}", value(&actual.trend), value(&clean.trend));
            }
            text.push('\n');
        }
    }
    let limits: Vec<_> = actual.harm.limits.iter().filter(|limit| limit.first.is_some()).collect();
    for limit in limits {
        if let Some(first) = limit.first {
            let without = clean.crossing(&limit.name).map_or_else(
                || "never without it".to_owned(),
                |at| format!("at {} without it", manifest.start.time_of_day(at)),
            );
            let _ = writeln!(text, "  {}  {}; {without}", manifest.start.time_of_day(first), limit.message);
        }
    }
    let _ = writeln!(
        text,
        "\nHarm: {:.0} {} with it, {:.0} {} without it.",
        actual.harm.total, actual.harm.currency, clean.harm.total, clean.harm.currency
    );
    text
}

/// Eight moments, evenly over the run.
fn moments(trend: &Trend, end: VirtualTime) -> Vec<VirtualTime> {
    const COUNT: u64 = 8;
    let step = end.as_nanos() / COUNT;
    (1..=COUNT).filter_map(|n| trend.at_or_before(VirtualTime::from_nanos(n * step))).collect()
}

/// Breaks a sentence into lines of about 100 characters, indented.
pub(crate) fn wrap(sentence: &str, indent: usize) -> String {
    let mut lines = vec![String::new()];
    for word in sentence.split_whitespace() {
        let last = lines.last_mut().filter(|line| line.len() + word.len() < 96);
        match last {
            Some(line) => {
                if !line.is_empty() {
                    line.push(' ');
                }
                line.push_str(word);
            }
            None => lines.push(word.to_owned()),
        }
    }
    lines.join(&format!("\n{}", " ".repeat(indent)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_sentences_break_between_words() {
        let sentence = "water ".repeat(40);
        let wrapped = wrap(&sentence, 4);
        assert!(wrapped.lines().count() > 1);
        assert!(wrapped.lines().all(|line| line.len() <= 110));
        assert_eq!(wrapped.split_whitespace().count(), 40);
    }
}
