//! Metrics as text: several programs' in one answer, and single values out of it. Pure.

use std::collections::BTreeMap;
use std::fmt::Write as _;

/// The metrics of one name.
#[derive(Default)]
struct Family {
    /// Lines of `# HELP` and `# TYPE`.
    about: Vec<String>,
    samples: Vec<String>,
}

/// Metrics of several programs, grouped by name as the format wants it.
#[derive(Default)]
pub(crate) struct Exposition(BTreeMap<String, Family>);

impl Exposition {
    /// Takes in what a Collector tells, each sample with the Collector's name.
    pub(crate) fn add(&mut self, collector: &str, text: &str) {
        let label = format!("collector=\"{collector}\"");
        self.read(text, |sample| match sample.find(['{', ' ']) {
            Some(at) if sample.get(at..).is_some_and(|rest| rest.starts_with("{}")) => {
                let (name, rest) = sample.split_at(at);
                format!("{name}{{{label}}}{}", rest.get(2..).unwrap_or_default())
            }
            Some(at) if sample.get(at..).is_some_and(|rest| rest.starts_with('{')) => {
                let (name, rest) = sample.split_at(at);
                format!("{name}{{{label},{}", rest.get(1..).unwrap_or_default())
            }
            Some(at) => {
                let (name, rest) = sample.split_at(at);
                format!("{name}{{{label}}}{rest}")
            }
            None => sample.to_owned(),
        });
    }

    /// Takes in our own, which are in the newer format: there the type of a counter is that of its name without `_total`.
    pub(crate) fn add_own(&mut self, text: &str) {
        let counters: Vec<&str> =
            text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.strip_suffix(" counter")).collect();
        let renamed: String = text.lines().fold(String::new(), |mut renamed, line| {
            let about = ["# TYPE ", "# HELP "].into_iter().find_map(|kind| Some((kind, line.strip_prefix(kind)?)));
            let counter = about.and_then(|(kind, rest)| {
                let (name, rest) = rest.split_once(' ')?;
                counters.contains(&name).then(|| format!("{kind}{name}_total {rest}"))
            });
            // Writing to a string cannot fail.
            let _ = writeln!(renamed, "{}", counter.as_deref().unwrap_or(line));
            renamed
        });
        self.read(&renamed, str::to_owned);
    }

    fn read(&mut self, text: &str, change: impl Fn(&str) -> String) {
        let mut current = String::new();
        for line in text.lines() {
            let about = line.strip_prefix("# HELP ").or_else(|| line.strip_prefix("# TYPE "));
            if let Some(about) = about {
                about.split(' ').next().unwrap_or_default().clone_into(&mut current);
                let family = self.0.entry(current.clone()).or_default();
                if !family.about.iter().any(|told| told == line) {
                    family.about.push(line.to_owned());
                }
            } else if !line.starts_with('#') && !line.is_empty() {
                let name = line.split(['{', ' ']).next().unwrap_or_default();
                let family = if !current.is_empty() && name.starts_with(&current) { &current } else { name };
                self.0.entry(family.to_owned()).or_default().samples.push(change(line));
            }
        }
    }

    /// All of it.
    pub(crate) fn text(&self) -> String {
        let lines = self.0.values().flat_map(|family| family.about.iter().chain(&family.samples));
        lines.fold(String::new(), |mut text, line| {
            text.push_str(line);
            text.push('\n');
            text
        })
    }
}

/// The values of a metric, by their labels as they stand there.
pub(crate) fn values<'a>(text: &'a str, name: &'a str) -> impl Iterator<Item = (&'a str, f64)> {
    text.lines().filter_map(move |line| {
        let rest = line.strip_prefix(name)?;
        let (labels, value) = match rest.strip_prefix('{') {
            Some(rest) => rest.rsplit_once('}')?,
            None => ("", rest.strip_prefix(' ').map(|_| rest)?),
        };
        Some((labels, value.trim().parse().ok()?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRAFFIC: &str =
        "# HELP up Up.\n# TYPE up gauge\nup 1\n# HELP q Size.\n# TYPE q gauge\nq{a=\"x y\"} 2\nq{} 3\n";
    const EVENTS: &str = "# HELP up Up.\n# TYPE up gauge\nup 0\n";
    const OWN: &str = "# HELP starts Starts.\n# TYPE starts counter\nstarts_total{a=\"b\"} 4\n# EOF\n";

    #[test]
    fn metrics_of_one_name_stand_together_with_the_name_of_their_collector() {
        let mut all = Exposition::default();
        all.add("traffic", TRAFFIC);
        all.add("events", EVENTS);
        all.add_own(OWN);
        assert_eq!(
            all.text(),
            "# HELP q Size.\n# TYPE q gauge\nq{collector=\"traffic\",a=\"x y\"} 2\nq{collector=\"traffic\"} 3\n\
             # HELP starts_total Starts.\n# TYPE starts_total counter\nstarts_total{a=\"b\"} 4\n\
             # HELP up Up.\n# TYPE up gauge\nup{collector=\"traffic\"} 1\nup{collector=\"events\"} 0\n"
        );
    }

    #[test]
    fn values_are_found_by_the_whole_name() {
        let text = "q 1\nq{a=\"}\"} 2\nq_total 3\n";
        assert_eq!(values(text, "q").collect::<Vec<_>>(), [("", 1.0), ("a=\"}\"", 2.0)]);
        assert_eq!(values(text, "missing").count(), 0);
    }
}
