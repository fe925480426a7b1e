//! What is told of the process that speaks.

use std::fs;

use epiphyte_api::Language;
use epiphyte_api::names::{DEVICE_PRELOAD, INJECTOR_PRELOAD};
use epiphyte_detect::{Doubt, Libc, OtherAgent, Process, Runtime, Scanner, SecureExecution};

use crate::folder::{Folder, program_with_linker};

fn look(folder: &Folder) -> Runtime {
    Scanner::new(folder.path()).look(&[10])
}

fn process(folder: &Folder) -> Process {
    look(folder).process.unwrap()
}

#[test]
fn java_is_known_by_its_library_and_its_version_by_the_file_beside_it() {
    for (library, release) in [
        ("/opt/jdk/lib/server/libjvm.so", "root/opt/jdk/release"),
        ("/opt/jdk/jre/lib/amd64/server/libjvm.so", "root/opt/jdk/release"),
    ] {
        let folder = Folder::new();
        let launcher = folder.process(10, 1, "/opt/shop/launcher").maps(&["/lib/libc.so.6", library]);
        launcher.file(release, "JAVA_VERSION=\"21.0.4\"\n");
        let runtime = look(&folder);
        assert_eq!((runtime.language, runtime.version.as_deref()), (Ok(Language::Java), Some("21.0.4")));
    }
}

#[test]
fn java_is_known_by_its_name_before_it_has_mapped_anything() {
    let folder = Folder::new();
    folder.process(10, 1, "/opt/jdk/bin/java").file("root/opt/jdk/release", "JAVA_VERSION=\"1.8.0_392\"\n");
    let runtime = look(&folder);
    assert_eq!((runtime.language, runtime.version.as_deref()), (Ok(Language::Java), Some("8.0.392")));
}

#[test]
fn dotnet_tells_its_version_by_its_folder() {
    let folder = Folder::new();
    let library = "/usr/share/dotnet/shared/Microsoft.NETCore.App/8.0.4/libcoreclr.so";
    folder.process(10, 1, "/app/shop").maps(&[library]);
    let runtime = look(&folder);
    assert_eq!((runtime.language, runtime.version.as_deref()), (Ok(Language::DotNet), Some("8.0.4")));
}

#[test]
fn a_runtime_inside_another_program_is_known_by_its_library() {
    for (library, language, version) in [
        ("/usr/lib/libpython3.12.so.1.0", Language::Python, Some("3.12")),
        ("/usr/lib/apache2/modules/libphp8.2.so", Language::Php, None),
        ("/usr/lib/libruby-3.2.so.3.2.2", Language::Ruby, None),
        ("/usr/lib/libnode.so.108", Language::JavaScript, None),
        ("/usr/lib/libstdc++.so.6.0.30", Language::CPlusPlus, None),
    ] {
        let folder = Folder::new();
        folder.process(10, 1, "/usr/sbin/host").maps(&["/lib/libc.so.6", library]);
        let runtime = look(&folder);
        assert_eq!((runtime.language, runtime.version.as_deref()), (Ok(language), version), "{library}");
    }
}

#[test]
fn the_dynamic_linker_tells_the_c_library() {
    for (linker, libc) in [
        ("/lib/ld-musl-x86_64.so.1", Some(Libc::Musl)),
        ("/lib64/ld-linux-x86-64.so.2", Some(Libc::Glibc)),
        ("/lib/ld-linux-aarch64.so.1", Some(Libc::Glibc)),
        ("/system/bin/linker64", None),
    ] {
        let folder = Folder::new();
        let program = folder.path().join("node");
        fs::write(&program, program_with_linker(linker)).unwrap();
        folder.process(10, 1, &program);
        assert_eq!(process(&folder).libc, libc, "{linker}");
    }
}

#[test]
fn the_kernel_tells_of_secure_execution() {
    let folder = Folder::new();
    let auxv: Vec<u8> = [23u64, 1, 0, 0].iter().flat_map(|word| word.to_ne_bytes()).collect();
    folder.process(10, 1, "/usr/bin/node").file("auxv", auxv);
    assert_eq!(process(&folder).secure_execution, SecureExecution::On);
}

#[test]
fn preloads_are_told_from_the_environment_and_from_the_file() {
    let folder = Folder::new();
    let program = folder.path().join("python3.11");
    fs::write(&program, program_with_linker("/lib64/ld-linux-x86-64.so.2")).unwrap();
    let preload = format!("LD_PRELOAD=/lib/libjemalloc.so.2:{DEVICE_PRELOAD}");
    let python = folder.process(10, 1, &program).variables(&["PATH=/bin", &preload]);
    python.file("root/etc/ld.so.preload", "/opt/dynatrace/liboneagentproc.so\n");
    let process = process(&folder);
    assert_eq!(process.preload.as_deref(), Some("/lib/libjemalloc.so.2"));
    assert_eq!(process.preload_file.as_deref(), Some("/opt/dynatrace/liboneagentproc.so"));
    assert_eq!(process.other_agent, Some(OtherAgent::Dynatrace));
}

#[test]
fn another_vendors_agent_is_told() {
    let folder = Folder::new();
    folder.process(10, 1, "/usr/bin/java").arguments(&["java", "-javaagent:/dd/dd-java-agent.jar", "-jar", "a.jar"]);
    assert_eq!(process(&folder).other_agent, Some(OtherAgent::Datadog));

    let folder = Folder::new();
    folder.process(10, 1, "/usr/bin/node").maps(&["/app/node_modules/dd-trace/prebuilds/a.node"]);
    assert_eq!(process(&folder).other_agent, Some(OtherAgent::Datadog));

    let folder = Folder::new();
    folder.process(10, 1, "/usr/bin/python3.9").variables(&["NEW_RELIC_LICENSE_KEY=x"]);
    assert_eq!(process(&folder).other_agent, Some(OtherAgent::NewRelic));
}

#[test]
fn a_container_of_ours_is_detected_as_what_it_was() {
    let bare = Folder::new();
    bare.process(10, 1, "/usr/bin/java").arguments(&["java", "-jar", "a.jar"]).variables(&["PATH=/bin"]);
    for (folder, preload) in [("/var/odigos", DEVICE_PRELOAD), ("/opt/lumigo", INJECTOR_PRELOAD)] {
        let ours = Folder::new();
        let java = ours.process(10, 1, "/usr/bin/java").arguments(&["java", "-jar", "a.jar"]);
        let java = java.variables(&[
            "PATH=/bin",
            &format!("LD_PRELOAD={preload}"),
            &format!("JAVA_TOOL_OPTIONS=-javaagent:{folder}/java/opentelemetry-javaagent.jar"),
            &format!("NODE_OPTIONS=--require {folder}/nodejs/autoinstrumentation.js"),
            &format!("PYTHONPATH={folder}/python/opentelemetry/instrumentation/auto_instrumentation"),
            "LUMIGO_TRACER_TOKEN=t_0123456789abcdef01234",
            "OTEL_SERVICE_NAME=shop",
        ]);
        java.maps(&[
            preload,
            &format!("{folder}/java/opentelemetry-javaagent.jar"),
            &format!("{folder}/libpython3.9.so"),
        ]);
        assert_eq!(look(&ours), look(&bare));
    }
}

#[test]
fn nothing_to_go_by_is_a_doubt_that_names_the_program() {
    let folder = Folder::new();
    folder.process(10, 1, "/usr/bin/beam").maps(&["/lib/libc.so.6"]);
    assert_eq!(look(&folder).language, Err(Doubt::NoEvidence(vec!["beam".into()])));
}
