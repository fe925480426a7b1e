//! Several processes, one answer.
//!
//! Of a container's own processes without the wrappers, all whose language is known must agree. C and C++ give way to any
//! other language, and so does a program whose language nothing tells: servers and helpers beside the application are
//! written so. Of those that agree the oldest speaks for the container, because workers and helpers are younger.

use epiphyte_api::Language;

use crate::family::Member;
use crate::runtime::base as name;
use crate::sighting::Doubt;

/// Most names that a doubt lists.
const MAX_NAMES: usize = 8;

/// A process that may speak for its container.
#[derive(Clone, Debug)]
pub(crate) struct Candidate {
    pub(crate) member: Member,
    /// Path of its program.
    pub(crate) program: String,
    pub(crate) evidence: Option<Evidence>,
}

/// What tells the language of a process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Evidence {
    pub(crate) language: Language,
    /// The version, where it came along.
    pub(crate) version: Option<String>,
}

/// The index of the process that speaks for the container, and what tells its language; candidates come with the oldest
/// first.
pub(crate) fn resolve(candidates: &[Candidate]) -> Result<(usize, Evidence), Doubt> {
    let mut languages: Vec<(&Evidence, usize)> = Vec::new();
    for (index, candidate) in candidates.iter().enumerate() {
        if let Some(evidence) = &candidate.evidence
            && !languages.iter().any(|(known, _)| known.language == evidence.language)
        {
            languages.push((evidence, index));
        }
    }
    if languages.len() > 1 {
        languages.retain(|(evidence, _)| evidence.language != Language::CPlusPlus);
    }
    match languages.as_slice() {
        [] => Err(Doubt::NoEvidence(names(candidates.iter().map(|candidate| candidate.program.as_str())))),
        [(evidence, index)] => Ok((*index, (*evidence).clone())),
        several => {
            let named = several.iter().filter_map(|(evidence, index)| {
                Some((evidence.language.clone(), name(&candidates.get(*index)?.program).to_owned()))
            });
            Err(Doubt::Tie(named.collect()))
        }
    }
}

/// The names of programs, each once.
pub(crate) fn names<'a>(programs: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for program in programs.map(name) {
        if names.len() < MAX_NAMES && !names.iter().any(|known| known == program) {
            names.push(program.to_owned());
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use epiphyte_api::Language;

    use super::{Candidate, Evidence, resolve};
    use crate::family::Member;
    use crate::sighting::Doubt;
    use crate::stat::Stat;

    fn candidates(found: &[(&str, Option<Language>)]) -> Vec<Candidate> {
        let candidate = |(index, (program, language)): (usize, &(&str, Option<Language>))| Candidate {
            member: Member { pid: 1, stat: Stat { parent: 0, started: index as u64 } },
            program: (*program).into(),
            evidence: language.clone().map(|language| Evidence { language, version: None }),
        };
        found.iter().enumerate().map(candidate).collect()
    }

    fn speaker(found: &[(&str, Option<Language>)]) -> Option<usize> {
        resolve(&candidates(found)).ok().map(|(index, _)| index)
    }

    #[test]
    fn the_oldest_of_those_that_agree_speaks() {
        let workers = [("/bin/python3", Some(Language::Python)), ("/bin/python3", Some(Language::Python))];
        assert_eq!(speaker(&workers), Some(0));
    }

    #[test]
    fn c_and_the_unknown_give_way() {
        let served = [("/nginx", Some(Language::CPlusPlus)), ("/helper", None), ("/php-fpm", Some(Language::Php))];
        assert_eq!(speaker(&served), Some(2));
        assert_eq!(speaker(&[("/helper", None), ("/nginx", Some(Language::CPlusPlus))]), Some(1));
    }

    #[test]
    fn two_languages_are_a_tie_that_names_both() {
        let both = candidates(&[("/a/java", Some(Language::Java)), ("/a/proxy", Some(Language::Go))]);
        let tie = vec![(Language::Java, "java".into()), (Language::Go, "proxy".into())];
        assert_eq!(resolve(&both), Err(Doubt::Tie(tie)));
    }

    #[test]
    fn no_evidence_names_the_programs_once() {
        let nothing = candidates(&[("/a/erl", None), ("/b/erl", None)]);
        assert_eq!(resolve(&nothing), Err(Doubt::NoEvidence(vec!["erl".into()])));
    }
}
