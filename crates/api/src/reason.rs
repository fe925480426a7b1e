//! Reason codes: the one source of every "why".
//!
//! They feed conditions, Events, metrics, `explain`, `preview` and the table in the manual. There is no other reason.

use std::fmt;

/// How much a reason asks of its reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// All is as it was asked to be.
    Info,
    /// Something is awaited and will come without help.
    Waiting,
    /// Somebody asked for something that is not done, and has to act.
    Warning,
}

impl Severity {
    /// The severity in lower case.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Waiting => "waiting",
            Self::Warning => "warning",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

macro_rules! reasons {
    ($($name:ident $severity:ident $sentence:literal => $next:literal)*) => {
        /// Why something is as it is. The name of a variant is its code.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Reason {
            $(#[doc = $sentence] $name,)*
        }

        impl Reason {
            /// All reasons, in the order of the manual.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The code, as it stands in conditions, Events and metrics.
            pub const fn code(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)* }
            }

            /// How much the reason asks of its reader.
            pub const fn severity(self) -> Severity {
                match self { $(Self::$name => Severity::$severity,)* }
            }

            /// The reason as a sentence.
            pub const fn sentence(self) -> &'static str {
                match self { $(Self::$name => $sentence,)* }
            }

            /// What the reader can do next; empty where there is nothing to do.
            pub const fn next_step(self) -> &'static str {
                match self { $(Self::$name => $next,)* }
            }
        }
    };
}

reasons! {
    // Never, whatever the marks.
    Uninstalling Info "Epiphyte is being uninstalled and takes itself off every workload."
        => "To stop it, run `epiphyte operator --uninstall --cancel`."
    IgnoredNamespace Info "The namespace is never instrumented: it belongs to the system, to Epiphyte, or to `ignoredNamespaces`."
        => "Take the namespace out of `ignoredNamespaces` in the settings, unless it belongs to the system."
    OwnedByController Info "The workload is owned by a controller, so it is its owner's business."
        => "Mark the owner instead."
    PlatformNotServed Info "The pods are for Windows or for an architecture that the agents do not serve."
        => "Nothing: the agents serve Linux on amd64 and arm64."
    BeingDeleted Info "The workload is being deleted and is left alone."
        => ""

    // Marks.
    NotMarked Info "Neither the workload nor its namespace is marked for instrumentation."
        => "To turn it on, annotate the workload or its namespace with `odigos.io/instrument: \"true\"`."
    MarkedByAnnotation Info "The workload's annotation `odigos.io/instrument` turns instrumentation on."
        => ""
    MarkedBySource Info "A Source that names the workload turns instrumentation on."
        => ""
    MarkedByLabel Info "The workload's label `lumigo.auto-trace` turns injection on."
        => ""
    MarkedByNamespaceAnnotation Info "The namespace's annotation `odigos.io/instrument` turns instrumentation on."
        => ""
    MarkedByNamespaceSource Info "A Source that names the namespace turns instrumentation on."
        => ""
    MarkedByLumigo Info "The namespace's active Lumigo turns injection on."
        => ""
    OptedOutByAnnotation Info "The workload's annotation `odigos.io/instrument` turns instrumentation off."
        => "Remove the annotation, or set it to \"true\"."
    OptedOutBySource Info "A Source that names the workload turns instrumentation off."
        => "Delete the Source, or take `disableInstrumentation` out of it."
    OptedOutByLabel Info "The workload's label `lumigo.auto-trace` turns instrumentation off."
        => "Remove the label, or set it to \"true\"."
    NamespaceOptedOutByAnnotation Info "The namespace's annotation `odigos.io/instrument` turns instrumentation off."
        => "Remove the annotation from the namespace, or mark the workload itself."
    NamespaceOptedOutBySource Info "A Source that names the namespace turns instrumentation off."
        => "Delete the Source, or mark the workload itself."
    InvalidMark Warning "The workload's annotation `odigos.io/instrument` is neither \"true\" nor \"false\", and counts as \"false\"."
        => "Set the annotation to \"true\" or \"false\"."
    InvalidNamespaceMark Warning "The namespace's annotation `odigos.io/instrument` is neither \"true\" nor \"false\", and counts as \"false\"."
        => "Set the namespace's annotation to \"true\" or \"false\"."
    MarkOverruled Info "Another mark is overruled by one that is more specific, or that turns off at the same level."
        => ""
    DuplicateSource Warning "Another, older Source names the same target; that one rules and this one counts for nothing."
        => "Delete one of the two Sources."
    SourceTargetMissing Warning "The Source names something that does not exist."
        => "Correct `spec.workload` by making a new Source, or create what it names."
    SourceKindUnknown Warning "The Source names a kind that Epiphyte cannot instrument."
        => "Make a Source of kind Deployment, DaemonSet, StatefulSet, ReplicaSet, CronJob, Job or Namespace."
    SourceInOtherNamespace Warning "The Source names a namespace that is not its own, and counts for nothing."
        => "Create the Source in the namespace that it names."

    // Delivery.
    DeliveredByDevice Info "The agent is delivered by an instrumentation device."
        => ""
    DeliveredByInjector Info "The agent is delivered by the injector."
        => ""
    InvalidDelivery Warning "The annotation `epiphyte.dev/delivery` is neither `device` nor `injector`, and is ignored."
        => "Set the annotation to `device` or `injector`, or remove it."
    InvalidTokenLabel Warning "The label `lumigo.token-secret` or `lumigo.token-key` names what no Secret can be called or have, and its default counts."
        => "Set the label to the name of a Secret of the namespace, or to a key in it."
    KindNotServedByDevice Warning "Devices serve Deployments, DaemonSets, StatefulSets and CronJobs only."
        => "Annotate the workload with `epiphyte.dev/delivery: injector`, or mark its owner."

    // Runtime details.
    RuntimeDetected Info "A node agent has seen what runs in the containers."
        => ""
    WaitingForDetection Waiting "No node agent has answered yet what runs in the containers."
        => "Wait until a pod of the workload runs on a node with a node agent; a workload without pods is never detected."
    NoSupportedLanguage Warning "Runtime details are there, and name no language that an agent serves."
        => "Nothing, if the languages are right; delete the InstrumentedApplication to have the workload looked at again."
    ContainerNotDetected Info "The runtime details do not mention the container."
        => "Delete the InstrumentedApplication to have the workload looked at again."
    LanguageNotSupported Info "No agent serves the container's language."
        => ""
    RuntimeVersionNotServed Warning "The agent for the container's language does not serve this version of the runtime."
        => "Use a version that the finding names; then delete the InstrumentedApplication to have the workload looked at again."
    LanguageUnknown Info "The container's language could not be told."
        => "Delete the InstrumentedApplication to have the workload looked at again."
    DuplicateDetails Warning "The runtime details mention the container more than once; the first entry counts."
        => "Delete the InstrumentedApplication to have the workload looked at again."
    UnknownContainer Info "The runtime details mention a container that the workload does not have."
        => ""
    OtherAgentDetected Warning "Another vendor's agent is at work in the container."
        => "Remove the other agent; then delete the InstrumentedApplication to have the workload looked at again."
    PreloadNotInManifest Warning "The container's image or an `envFrom` sets `LD_PRELOAD`, which cannot be chained in the template."
        => "Set `LD_PRELOAD` as a literal value in the manifest of the container."

    // Collectors.
    CollectorsReady Info "Every CollectorsGroup of the system namespace is ready."
        => ""
    CollectorsMissing Waiting "There is no CollectorsGroup in the system namespace."
        => "Check that the collectors are deployed."
    CollectorsNotReady Waiting "A CollectorsGroup of the system namespace is not ready."
        => "Check the collectors' pods."
    CollectorsGracePeriod Waiting "The collectors are not ready, but not yet for as long as the grace period: everything stays as it is."
        => "Check the collectors' pods; `collectors.unreadyGracePeriod` in the settings is the time until devices are taken off."
    TelemetryTaken Info "The telemetry proxy takes telemetry."
        => ""
    TelemetryNotTaken Waiting "No address of the telemetry proxy takes telemetry."
        => "Check the container `telemetry-proxy` of the operator's pods: whether it runs, and what it logs."
    NoProxyAddress Waiting "There is no address of the telemetry proxy."
        => "Check that the Service `epiphyte-telemetry-proxy` is there, and that its pods run."

    // Offer.
    NoNodeOffersDevice Waiting "No ready node that the pods can run on offers the device; for a DaemonSet, not every such node does."
        => "Check that the node agent runs on the nodes that the pods can be scheduled to."

    // What surgery refuses.
    PreloadReferenced Warning "The container takes `LD_PRELOAD` by reference (`valueFrom`), which cannot be chained."
        => "Set `LD_PRELOAD` as a literal value in the manifest of the container."
    PreloadAmbiguous Warning "The container sets `LD_PRELOAD` more than once, or names our own library in it."
        => "Set `LD_PRELOAD` once, without our library."
    VariableTaken Warning "The container has a variable of its own under one of our names."
        => "Rename or remove the variable."
    MountPathTaken Warning "The container mounts something of its own where the agents would be mounted."
        => "Mount it somewhere else."
    VolumeTaken Warning "The workload has a volume or an init container of its own under the name `lumigo-injector`."
        => "Rename the volume or the init container."

    // Lumigo.
    LumigoNotActive Waiting "The namespace's Lumigo is not active: what is injected stays, nothing is added."
        => "See the conditions of the Lumigo."
    LumigoInjectionDisabled Info "The namespace's Lumigo has injection switched off: what is injected stays, nothing is added."
        => "Set `spec.tracing.injection.enabled` of the Lumigo."
    ExistedBeforeLumigo Info "The workload was there before the Lumigo, which leaves such workloads as they are."
        => "Create the workload anew, or set `spec.tracing.injection.injectLumigoIntoExistingResourcesOnCreation`."
    LumigoBeingDeleted Info "The namespace's Lumigo is being deleted and no longer turns injection on."
        => ""
    KeptAfterLumigo Info "The Lumigo is gone, or about to go, and asked for its injections to stay."
        => "Label the workload with `lumigo.auto-trace: \"false\"` to take the injection off."
    LumigoActive Info "The Lumigo is active: its token is there, and it counts in its namespace."
        => ""
    OtherLumigo Warning "There are other Lumigo instances in this namespace; the oldest counts, and this one does not."
        => "Delete the Lumigo that you do not want."
    TokenNotReferenced Warning "The Lumigo does not say where its token is."
        => "Set `spec.lumigoToken.secretRef`."
    SecretNameMissing Warning "The Lumigo does not name the Secret with its token."
        => "Set `spec.lumigoToken.secretRef.name`."
    SecretKeyMissing Warning "The Lumigo does not name the key of its token in the Secret."
        => "Set `spec.lumigoToken.secretRef.key`."
    SecretNotFound Warning "The Secret with the Lumigo's token does not exist."
        => "Create the Secret in the namespace of the Lumigo."
    SecretForbidden Warning "Epiphyte is not allowed to read the Secret with the Lumigo's token."
        => "Grant the operator the verb get on secrets."
    SecretKeyNotFound Warning "The Secret with the Lumigo's token does not have the key that the Lumigo names."
        => "Put the token into the Secret under that key, or name another key in the Lumigo."
    TokenMalformed Warning "What the Secret holds is no token: a token is `t_` and 21 hexadecimal digits in lower case, and nothing else."
        => "Put the token into the Secret exactly, without a space or a line break."

    // Outcomes.
    Instrumented Info "The container is instrumented."
        => ""
    InstrumentationPending Waiting "The workload is about to be instrumented."
        => "Wait; if it lasts, see the Events of the workload."
    RemovalPending Waiting "The instrumentation is about to be taken off."
        => "Wait; if it lasts, see the Events of the workload."
    JobImmutable Warning "A Job that exists cannot be changed; Jobs are instrumented when they are created."
        => "Create the Job anew."
    AwaitingPodReplacement Waiting "The pod template is changed, but pods are replaced only when somebody replaces them."
        => "Delete the pods, or resume, restart or scale the workload."

    AwaitingTemplateChange Info "What Epiphyte writes into the pod template is another now than when it was written; it reaches the workload at its next template change."
        => "Nothing; to have it at once, change the template, as `kubectl rollout restart` does."

    // Failed writes.
    UpdateRejected Warning "The API server, a quota or another webhook refused the change; it will be tried again."
        => "Correct what the message names."
    UpdateForbidden Warning "Epiphyte is not allowed to change the workload."
        => "Grant the operator the verb that the message names."
    UpdateFailed Waiting "The change could not be written; it will be tried again."
        => "Wait; if it lasts, check the API server."
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.code())
    }
}

impl serde::Serialize for Reason {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code())
    }
}

impl Reason {
    /// The table of the manual, in Markdown.
    pub fn table() -> String {
        let rows = Self::ALL.iter().map(|reason| {
            format!("| `{reason}` | {} | {} | {} |\n", reason.severity(), reason.sentence(), reason.next_step())
        });
        std::iter::once("| reason | severity | what it says | what to do |\n|---|---|---|---|\n".to_owned())
            .chain(rows)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{Reason, Severity};

    #[test]
    fn every_warning_says_what_to_do_next() {
        let silent = |reason: &&Reason| reason.severity() == Severity::Warning && reason.next_step().is_empty();
        assert_eq!(Reason::ALL.iter().find(silent), None);
    }

    #[test]
    fn codes_are_unique() {
        let codes: BTreeSet<_> = Reason::ALL.iter().map(|reason| reason.code()).collect();
        assert_eq!(codes.len(), Reason::ALL.len());
    }

    #[test]
    fn every_sentence_and_every_next_step_is_a_sentence() {
        for reason in Reason::ALL {
            assert!(reason.sentence().ends_with('.'), "{reason}");
            assert!(reason.next_step().is_empty() || reason.next_step().ends_with('.'), "{reason}");
        }
    }

    #[test]
    fn the_table_has_a_row_for_every_reason() {
        assert_eq!(Reason::table().lines().count(), Reason::ALL.len() + 2);
    }
}
