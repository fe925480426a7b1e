//! This process: its memory, and what its dynamic linker knows.

use core::ptr::with_exposed_provenance;

use epiphyte_injector_core::{Auxiliary, Memory, Survey, survey};

use crate::system;

/// Surveys the libraries of this process. `None` where that is not known, or the process has rights that its starter did
/// not have.
pub(crate) fn libraries() -> Option<Survey> {
    let mut buffer = [0; 1024];
    let auxiliary = Auxiliary::read(system::auxiliary(&mut buffer)?)?;
    if auxiliary.secure { None } else { survey(&Own, &auxiliary, system::dynamic_section()) }
}

/// The memory of this process, read at addresses that the kernel and the dynamic linker gave.
struct Own;

impl Memory for Own {
    fn read<const N: usize>(&self, address: u64) -> Option<[u8; N]> {
        /// Nothing is ever mapped below.
        const LOWEST: usize = 4096;
        let address = usize::try_from(address).ok().filter(|address| *address >= LOWEST)?;
        // SAFETY: the address comes from the auxiliary vector, or from what the dynamic linker built and uses itself.
        Some(unsafe { with_exposed_provenance::<[u8; N]>(address).read_unaligned() })
    }
}
