//! A small world for one workload. It starts out well: a stored Deployment with one container `app`, in which Java was
//! seen, collectors that are ready, and a node that offers every device. Nothing marks it.

use epiphyte_api::{Device, Language, Reason, WorkloadKind};
use epiphyte_plan::{
    Annotation, AutoTraceLabel, Collectors, Container, ContainerDetails, Decision, Delivery, DeliveryMark, Details,
    DeviceSet, Facts, Finding, GateState, Instrument, LumigoFact, NamespaceFact, Node, Part, Pod, Preload,
    PreloadSource, Replacement, Scheduling, Settings, SourceFact, Variables, Verdict, Workload, decide,
};
use jiff::Timestamp;

/// What is stored while the workload is planned.
#[derive(Clone, Debug)]
pub enum Stored {
    /// The workload itself.
    Same,
    /// Nothing: it is being created.
    Nothing,
    /// Another state of it: it is being updated.
    Before(Box<Workload>),
}

/// All that planning may look at, ready to be changed.
#[derive(Clone, Debug)]
pub struct Scenario {
    pub workload: Workload,
    pub stored: Stored,
    pub uninstalling: bool,
    pub settings: Settings,
    pub namespace: NamespaceFact,
    pub sources: Vec<SourceFact>,
    pub details: Option<Details>,
    pub collectors: Collectors,
    pub nodes: Vec<Node>,
}

pub fn deployment() -> Scenario {
    workload(WorkloadKind::Deployment)
}

pub fn workload(kind: WorkloadKind) -> Scenario {
    Scenario {
        workload: Workload {
            kind,
            namespace: "shop".into(),
            name: "cart".into(),
            uid: "0001".into(),
            resource_version: "1".into(),
            generation: 1,
            created: Some(day(10)),
            deleting: false,
            controlled: false,
            annotation: None,
            label: None,
            companions: None,
            delivery: None,
            replacement: match kind {
                WorkloadKind::Job => Replacement::Immutable,
                WorkloadKind::CronJob => Replacement::NextRun,
                WorkloadKind::ReplicaSet => Replacement::Manual,
                _ => Replacement::Rollout,
            },
            pod: Pod { containers: Box::new([container("app")]), ..Pod::default() },
        },
        stored: Stored::Same,
        uninstalling: false,
        settings: Settings {
            ignored_namespaces: ["quiet".to_owned()].into(),
            system_namespace: "epiphyte-system".to_owned(),
            require_offer: true,
        },
        namespace: NamespaceFact::default(),
        sources: Vec::new(),
        details: Some(Details { pending: false, containers: Box::new([entry("app", "java")]) }),
        collectors: Collectors::Ready,
        nodes: vec![node("one", &Device::ALL)],
    }
}

/// A day of the month in which all this happens.
pub fn day(day: i64) -> Timestamp {
    Timestamp::from_second(day * 86_400).unwrap()
}

pub fn container(name: &str) -> Container {
    Container { name: name.into(), image: format!("{name}:1").into(), ..Container::default() }
}

pub fn entry(container: &str, language: &str) -> ContainerDetails {
    ContainerDetails {
        name: container.into(),
        language: Language::from(language),
        runtime_version: None,
        image: Some(format!("{container}:1").into()),
        other_agent: None,
        preloads: false,
    }
}

pub fn node(name: &str, devices: &[Device]) -> Node {
    Node { name: name.into(), ready: true, devices: devices.iter().copied().collect::<DeviceSet>(), ..Node::default() }
}

pub fn active_lumigo() -> LumigoFact {
    LumigoFact {
        name: "lumigo".into(),
        created: Some(day(20)),
        deleting: false,
        active: true,
        injects: true,
        injects_existing: true,
        removes_on_deletion: true,
        traces: true,
        logs: false,
        token: None,
    }
}

fn source(name: &str, disables: bool) -> SourceFact {
    SourceFact { name: name.into(), disables }
}

/// Makes a container look as the injector leaves it.
pub fn inject(pod: &mut Pod, name: &str) {
    (pod.volume, pod.init_container) = (Part::Ours, Part::Ours);
    let container = pod.containers.iter_mut().find(|container| &*container.name == name).unwrap();
    container.injected = true;
    container.variables = Variables::ALL;
    container.preload =
        Preload { source: PreloadSource::Literal, ends_with_injector: true, ends_with_device: false, ours_alone: true };
}

/// Marks.
impl Scenario {
    pub fn annotated(mut self, value: &str) -> Self {
        self.workload.annotation = Some(Annotation::from(value));
        self
    }

    pub fn labelled(mut self, value: &str) -> Self {
        self.workload.label = Some(AutoTraceLabel::from(value));
        self
    }

    pub fn delivered_by(mut self, value: &str) -> Self {
        self.workload.delivery = Some(DeliveryMark::from(value));
        self
    }

    pub fn source(mut self, name: &str) -> Self {
        self.sources.push(source(name, false));
        self
    }

    pub fn disabling_source(mut self, name: &str) -> Self {
        self.sources.push(source(name, true));
        self
    }

    pub fn namespace_annotated(mut self, value: &str) -> Self {
        self.namespace.annotation = Some(Annotation::from(value));
        self
    }

    pub fn namespace_source(mut self, name: &str) -> Self {
        self.namespace.sources.push(source(name, false));
        self
    }

    pub fn disabling_namespace_source(mut self, name: &str) -> Self {
        self.namespace.sources.push(source(name, true));
        self
    }

    pub fn lumigo(self) -> Self {
        self.lumigo_that(|_| ())
    }

    pub fn lumigo_that(mut self, change: impl FnOnce(&mut LumigoFact)) -> Self {
        change(self.namespace.lumigo.insert(active_lumigo()));
        self
    }
}

/// The rest of the facts.
impl Scenario {
    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    pub fn being_created(mut self) -> Self {
        (self.workload.uid, self.workload.created, self.stored) = ("".into(), None, Stored::Nothing);
        self
    }

    pub fn container(mut self, name: &str) -> Self {
        let containers = std::mem::take(&mut self.workload.pod.containers);
        self.workload.pod.containers = containers.into_iter().chain([container(name)]).collect();
        self
    }

    /// Changes the first container of the template.
    pub fn app(mut self, change: impl FnOnce(&mut Container)) -> Self {
        change(self.workload.pod.containers.first_mut().unwrap());
        self
    }

    pub fn injected(mut self, container: &str) -> Self {
        inject(&mut self.workload.pod, container);
        self
    }

    pub fn with_device(self, resource: &str) -> Self {
        self.app(|app| app.devices = Box::new([resource.into()]))
    }

    /// Goes on from what is there: it stays what is stored while the workload is changed.
    pub fn updated(mut self, change: impl FnOnce(&mut Workload)) -> Self {
        self.stored = Stored::Before(Box::new(self.workload.clone()));
        change(&mut self.workload);
        self
    }

    pub fn undetected(mut self) -> Self {
        self.details = None;
        self
    }

    /// What was seen in the containers, in place of Java in `app`.
    pub fn detected<const N: usize>(mut self, entries: [ContainerDetails; N]) -> Self {
        self.details = Some(Details { pending: false, containers: Box::new(entries) });
        self
    }

    pub fn pending(mut self) -> Self {
        self.details.get_or_insert_default().pending = true;
        self
    }

    pub fn collectors(mut self, collectors: Collectors) -> Self {
        self.collectors = collectors;
        self
    }

    pub fn nodes<const N: usize>(mut self, nodes: [Node; N]) -> Self {
        self.nodes = nodes.into();
        self
    }

    pub fn scheduled(mut self, scheduling: Scheduling) -> Self {
        self.workload.pod.scheduling = Some(Box::new(scheduling));
        self
    }
}

/// The outcome.
impl Scenario {
    pub fn verdict(&self) -> Verdict {
        decide(&Facts {
            workload: &self.workload,
            current: match &self.stored {
                Stored::Same => Some(&self.workload),
                Stored::Nothing => None,
                Stored::Before(before) => Some(before),
            },
            uninstalling: self.uninstalling,
            settings: &self.settings,
            namespace: &self.namespace,
            sources: &self.sources,
            details: self.details.as_ref(),
            collectors: &self.collectors,
            nodes: &self.nodes,
        })
    }

    #[track_caller]
    pub fn is_on(&self, delivery: Delivery) -> &Self {
        self.container_is_on("app", delivery)
    }

    #[track_caller]
    pub fn is_off(&self, reason: Reason) -> &Self {
        self.container_is("app", Decision::Off, reason)
    }

    #[track_caller]
    pub fn is_kept(&self, reason: Reason) -> &Self {
        self.container_is("app", Decision::Keep, reason)
    }

    #[track_caller]
    pub fn container_is_on(&self, name: &str, delivery: Delivery) -> &Self {
        let verdict = self.verdict();
        let on = match verdict.decision(name) {
            Decision::On(Instrument::Device(_)) => Some(Delivery::Device),
            Decision::On(Instrument::Injector) => Some(Delivery::Injector),
            Decision::Off | Decision::Keep => None,
        };
        assert_eq!(on, Some(delivery), "{verdict:#?}");
        assert_eq!(verdict.delivery, Some(delivery));
        assert_eq!(verdict.marked.state, GateState::Holds);
        self
    }

    #[track_caller]
    pub fn container_is(&self, name: &str, decision: Decision, reason: Reason) -> &Self {
        let verdict = self.verdict();
        let container = verdict.containers.iter().find(|container| &*container.name == name).unwrap();
        assert_eq!((container.decision, container.settled_by().reason), (decision, reason), "{verdict:#?}");
        self
    }

    /// The workload's trace has a finding of the reason, about the thing named.
    #[track_caller]
    pub fn finds(&self, reason: Reason, about: &str) -> &Self {
        let findings = self.verdict().findings;
        assert!(findings.contains(&finding(reason, about)), "{findings:#?}");
        self
    }

    #[track_caller]
    pub fn does_not_find(&self, reason: Reason) -> &Self {
        let findings = self.verdict().findings;
        assert!(findings.iter().all(|finding| finding.reason != reason), "{findings:#?}");
        self
    }

    /// The reason why the first container is as it is, and what that is about.
    #[track_caller]
    pub fn is_because(&self, reason: Reason, about: &str) -> &Self {
        assert_eq!(self.verdict().containers[0].settled_by(), finding(reason, about));
        self
    }

    /// How the three conditions stand: marked, detected, collectors.
    #[track_caller]
    pub fn stands(&self, gates: [GateState; 3]) -> &Self {
        let verdict = self.verdict();
        assert_eq!([verdict.marked.state, verdict.detected.state, verdict.collectors.state], gates, "{verdict:#?}");
        self
    }
}

/// A finding about something, or about nothing where that is empty.
pub fn finding(reason: Reason, about: &str) -> Finding {
    match about {
        "" => reason.into(),
        about => Finding::about(reason, about),
    }
}
