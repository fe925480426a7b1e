//! Which mark rules: the most specific one, and at one level the one that turns off.

use epiphyte_api::{Reason, names};

use crate::{Annotation, AutoTraceLabel, Delivery, Facts, Finding, SourceFact};

/// What a mark says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Says {
    On,
    Off,
}

/// What kind of thing a mark is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Author {
    Annotation,
    Source,
    Label,
    Lumigo,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Level {
    Workload,
    Namespace,
}

/// A mark on a workload or its namespace.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark<'a> {
    pub(crate) says: Says,
    pub(crate) author: Author,
    level: Level,
    reason: Reason,
    /// Name of the object that marks, or the value that makes no sense.
    about: Option<&'a str>,
}

impl Mark<'_> {
    /// Why the workload is on or off where this mark rules.
    pub(crate) fn finding(&self) -> Finding {
        Finding { reason: self.reason, about: self.about.map(str::to_owned) }
    }

    /// The delivery that follows from the mark.
    pub(crate) fn delivery(&self) -> Delivery {
        match self.author {
            Author::Annotation | Author::Source => Delivery::Device,
            Author::Label | Author::Lumigo => Delivery::Injector,
        }
    }

    /// What is worth saying of a mark that another one overrules; nothing where both say the same.
    fn overruled_by(&self, ruling: Says) -> Option<Finding> {
        if matches!(self.reason, Reason::InvalidMark | Reason::InvalidNamespaceMark) {
            return Some(self.finding());
        }
        (self.says != ruling).then(|| Finding::about(Reason::MarkOverruled, self.name()))
    }

    fn name(&self) -> String {
        let about = self.about.unwrap_or_default();
        match (self.author, self.level) {
            (Author::Annotation, Level::Workload) => format!("annotation {}", names::INSTRUMENT_ANNOTATION),
            (Author::Annotation, Level::Namespace) => {
                format!("annotation {} of the namespace", names::INSTRUMENT_ANNOTATION)
            }
            (Author::Source, Level::Workload) => format!("Source {about}"),
            (Author::Source, Level::Namespace) => format!("Source {about} of the namespace"),
            (Author::Label, _) => format!("label {}", names::AUTO_TRACE_LABEL),
            (Author::Lumigo, _) => format!("Lumigo {about}"),
        }
    }
}

/// The marks of a level. Those that stand for a device come first, so that the first that turns on names the delivery.
type Marks<'a> = [Option<Mark<'a>>; 3];

/// The mark that rules, if there is any. The trace gets those that it overrules, and Sources that count for nothing.
pub(crate) fn ruling<'a>(facts: &Facts<'a>, trace: &mut Vec<Finding>) -> Option<Mark<'a>> {
    let (workload, namespace) = (workload_marks(facts), namespace_marks(facts));
    let ruling = strongest(&workload).or_else(|| strongest(&namespace));

    let duplicates = facts.sources.iter().skip(1).chain(facts.namespace.sources.iter().skip(1));
    trace.extend(duplicates.map(|source| Finding::about(Reason::DuplicateSource, &*source.name)));
    if let Some(ruling) = ruling {
        let others = workload.iter().chain(&namespace).flatten().filter(|mark| mark.reason != ruling.reason);
        trace.extend(others.filter_map(|mark| mark.overruled_by(ruling.says)));
    }
    ruling
}

fn strongest<'a>(marks: &Marks<'a>) -> Option<Mark<'a>> {
    let first = |says| marks.iter().flatten().find(|mark| mark.says == says).copied();
    first(Says::Off).or_else(|| first(Says::On))
}

fn workload_marks<'a>(facts: &Facts<'a>) -> Marks<'a> {
    let mark = |author, (says, reason), about| Mark { says, author, level: Level::Workload, reason, about };
    let annotation = facts.workload.annotation.as_ref().map(|annotation| {
        let (meaning, about) = match annotation {
            Annotation::On => ((Says::On, Reason::MarkedByAnnotation), None),
            Annotation::Off => ((Says::Off, Reason::OptedOutByAnnotation), None),
            Annotation::Invalid(value) => ((Says::Off, Reason::InvalidMark), Some(&**value)),
        };
        mark(Author::Annotation, meaning, about)
    });
    let source = facts.sources.first().map(|SourceFact { name, disables }| {
        let off = (Says::Off, Reason::OptedOutBySource);
        mark(Author::Source, if *disables { off } else { (Says::On, Reason::MarkedBySource) }, Some(&**name))
    });
    let label = facts.workload.label.and_then(|label| match label {
        AutoTraceLabel::On => Some(mark(Author::Label, (Says::On, Reason::MarkedByLabel), None)),
        AutoTraceLabel::Off => Some(mark(Author::Label, (Says::Off, Reason::OptedOutByLabel), None)),
        AutoTraceLabel::Version | AutoTraceLabel::Other => None,
    });
    [annotation, source, label]
}

fn namespace_marks<'a>(facts: &Facts<'a>) -> Marks<'a> {
    let mark = |author, (says, reason), about| Mark { says, author, level: Level::Namespace, reason, about };
    let annotation = facts.namespace.annotation.as_ref().map(|annotation| {
        let (meaning, about) = match annotation {
            Annotation::On => ((Says::On, Reason::MarkedByNamespaceAnnotation), None),
            Annotation::Off => ((Says::Off, Reason::NamespaceOptedOutByAnnotation), None),
            Annotation::Invalid(value) => ((Says::Off, Reason::InvalidNamespaceMark), Some(&**value)),
        };
        mark(Author::Annotation, meaning, about)
    });
    let source = facts.namespace.sources.first().map(|SourceFact { name, disables }| {
        let off = (Says::Off, Reason::NamespaceOptedOutBySource);
        mark(Author::Source, if *disables { off } else { (Says::On, Reason::MarkedByNamespaceSource) }, Some(&**name))
    });
    let lumigo = facts
        .namespace
        .lumigo
        .as_ref()
        .filter(|lumigo| lumigo.active && lumigo.injects && !lumigo.deleting)
        .map(|lumigo| mark(Author::Lumigo, (Says::On, Reason::MarkedByLumigo), Some(&*lumigo.name)));
    [annotation, source, lumigo]
}
