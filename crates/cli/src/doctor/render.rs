//! The doctor's report, for people.

use std::fmt::Write as _;

use epiphyte_api::Health;

use super::report::{Checked, Diagnosed, Finding};
use crate::show::{BOLD, DIM, text::coloured};

/// The page: a line for each check, what was found where there is something to say, and the verdict.
pub(crate) fn render(report: &Diagnosed) -> String {
    let mut page = String::new();
    let width = report.checks.iter().map(|it| it.check.title().len()).max().unwrap_or_default();
    for Checked { check, health, findings } in &report.checks {
        let word = coloured(colour(*health), &format!("{health:<9}"));
        let _ = write!(page, "{word}  {BOLD}{:<width$}{BOLD:#}", check.title());
        if *health == Health::Well {
            let mut found: Vec<&str> = findings.iter().map(|it| it.found.as_str()).collect();
            found.dedup();
            let _ = writeln!(page, "  {}", found.join("; "));
        } else {
            page.push('\n');
            findings.iter().filter(|it| it.health != Health::Well).for_each(|it| finding(&mut page, it));
        }
    }
    let count = |health| report.checks.iter().filter(|it| it.health == health).count();
    let said = match report.verdict {
        Health::Well => "Epiphyte is well.".to_owned(),
        Health::Warning => format!("Epiphyte works; to be looked at: {}.", count(Health::Warning)),
        Health::NotKnown => format!("Nothing is known to be broken; could not be told: {}.", count(Health::NotKnown)),
        Health::Broken => format!("Epiphyte does not work as it should; broken: {}.", count(Health::Broken)),
    };
    let _ = writeln!(page, "\n{}", coloured(colour(report.verdict), &said));
    page
}

fn finding(page: &mut String, it: &Finding) {
    let object = match (it.kind.as_str(), it.namespace.as_str()) {
        ("", _) => String::new(),
        (kind, "") => format!(" {kind} {}", it.name),
        (kind, namespace) => format!(" {kind} {namespace}/{}", it.name),
    };
    let _ = writeln!(page, "    {}{BOLD}{object}{BOLD:#}: {}", coloured(colour(it.health), it.code.code()), it.message);
    if !it.found.is_empty() {
        let _ = writeln!(page, "      {}", it.found);
    }
    let _ = writeln!(page, "      {DIM}next:{DIM:#} {}", it.next);
}

/// The word whose colour a health has.
const fn colour(health: Health) -> &'static str {
    match health {
        Health::Well => "on",
        Health::Warning | Health::NotKnown => "warning",
        Health::Broken => "-",
    }
}

#[cfg(test)]
mod tests {
    use epiphyte_api::Diagnosis;

    use super::super::report::Check;
    use super::*;

    #[test]
    fn a_check_that_is_well_is_a_line_and_another_says_what_to_do() {
        let missing =
            Finding::of(Diagnosis::DefinitionMissing, "").about("CustomResourceDefinition", "", "sources.odigos.io");
        let checks = vec![
            Checked::of(Check::Clocks, vec![Finding::of(Diagnosis::ClocksAgree, "less than a second apart")]),
            Checked::of(Check::Definitions, vec![missing]),
        ];
        let page = anstream::adapter::strip_str(&render(&Diagnosed::of("s".to_owned(), checks))).to_string();
        let expected = "\
ok         clocks       less than a second apart
broken     definitions
    DefinitionMissing CustomResourceDefinition sources.odigos.io: A CustomResourceDefinition is missing.
      next: Run `epiphyte crds | kubectl apply --server-side -f -`.

Epiphyte does not work as it should; broken: 1.
";
        assert_eq!(page, expected);
    }
}
