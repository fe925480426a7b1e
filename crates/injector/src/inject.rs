//! The steps from a program that starts to its new environment.

use core::{
    ffi::{CStr, c_char},
    ptr::with_exposed_provenance,
};

use epiphyte_injector_core::{
    Facts, Host, IDENTITY_LIMIT, Identity, Runtime, Variable, Variables, is_package_manager, join, merge, root_of,
};

use crate::{environment::Environment, files, log, process, system};

/// Gives a program that has an agent the environment that its agent needs. Whatever is missing or odd on the way, the
/// program starts as if this library were not there.
pub(crate) fn inject() {
    let mut path = [0; 1024];
    let Some(runtime) = system::read_link(c"/proc/self/exe", &mut path).and_then(Runtime::of) else { return };
    // From here on only programs that have an agent pay.
    instrument(runtime);
}

fn instrument(runtime: Runtime) -> Option<()> {
    let libraries = process::libraries()?;
    let environment = Environment::find(&libraries)?;
    let variables = Variables::gather(environment.texts());
    let outcome = if variables.is(Variable::Switch, "off") {
        Err("switched off")
    } else {
        change(runtime, &environment, &variables, libraries.path)
    };
    if variables.is(Variable::Log, "1") {
        match outcome {
            Ok(()) => log::say([runtime.name().as_bytes(), b": instrumented", b""]),
            Err(reason) => log::say([runtime.name().as_bytes(), b": left alone, ", reason.as_bytes()]),
        }
    }
    Some(())
}

fn change(
    runtime: Runtime,
    environment: &Environment,
    variables: &Variables<'_>,
    library: Option<u64>,
) -> Result<(), &'static str> {
    let mut arguments = [0; 512];
    if runtime == Runtime::Node && is_package_manager(files::beginning(c"/proc/self/cmdline", &mut arguments)) {
        return Err("a package manager, whose children are instrumented");
    }
    let root = library.and_then(path_at).and_then(root_of).ok_or("no folder `injector` in the library's path")?;
    if !is_readable(root, runtime.agent()) {
        return Err("the agent's files are missing or not readable");
    }
    let mut identity = [0; IDENTITY_LIMIT];
    let mut names = [0; 390];
    let mut hosts = [0; 64];
    let mut namespace = [0; 256];
    let mut facts = Facts { runtime, root, variables, identity: Identity(b""), host: Host::Unknown, namespace: b"" };
    if let Some(path) = variables.get(Variable::IdentityFile) {
        facts.identity = Identity(read(path, &mut identity));
    }
    if !facts.identity.is_complete() {
        let name = system::host_name(&mut names).unwrap_or_default();
        facts.host = Host::of(name, files::beginning(c"/etc/hosts", &mut hosts));
        facts.namespace = files::whole(NAMESPACE, &mut namespace).unwrap_or_default();
    }
    let room = environment.room().ok_or("no memory")?;
    let changes = merge(&facts, room.text).ok_or("the new values are too long")?;
    if changes.is_empty() {
        return Err("instrumented by its parent already");
    }
    environment.publish(room.list, changes).ok_or("the environment is too large")
}

/// The longest path that is followed, in bytes.
const PATH_LIMIT: usize = 768;

/// Where Kubernetes mounts the namespace's name, unless a pod wants no service account.
const NAMESPACE: &CStr = c"/var/run/secrets/kubernetes.io/serviceaccount/namespace";

/// Whether a file under the root can be read.
fn is_readable(root: &[u8], file: &str) -> bool {
    let mut path = [0; PATH_LIMIT];
    let path = join(&[root, file.as_bytes()], &mut path).and_then(|path| CStr::from_bytes_until_nul(path).ok());
    path.is_some_and(system::is_readable)
}

/// The whole of a file; empty where it cannot be read.
fn read<'b>(path: &[u8], buffer: &'b mut [u8]) -> &'b [u8] {
    let mut name = [0; PATH_LIMIT];
    let path = join(&[path], &mut name).and_then(|path| CStr::from_bytes_until_nul(path).ok());
    path.and_then(|path| files::whole(path, buffer)).unwrap_or_default()
}

/// The path that the dynamic linker keeps at an address.
fn path_at(address: u64) -> Option<&'static [u8]> {
    let path = with_exposed_provenance::<c_char>(usize::try_from(address).ok()?);
    // SAFETY: the dynamic linker ends the paths of libraries by a zero byte, and keeps them as long as the library.
    (!path.is_null()).then(|| unsafe { CStr::from_ptr(path) }.to_bytes())
}
