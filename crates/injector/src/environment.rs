//! The environment of this process, and the one put into its place.

use core::{
    ffi::{CStr, c_char},
    ptr::{self, NonNull, with_exposed_provenance_mut},
    slice,
};

use epiphyte_injector_core::{Changes, Survey, Variable};

use crate::system;

/// An environment is a list of pointers to texts, ended by a null pointer.
type Entry = *const c_char;

/// How many variables an environment may have.
const COUNT_LIMIT: usize = 65_536;
/// How many bytes they may have together. A process cannot start another with much more than twice that.
const SIZE_LIMIT: usize = 1_048_576;
/// Room for the texts that change.
const TEXT_ROOM: usize = 65_536;

/// The environment of this process.
pub(crate) struct Environment {
    /// The pointers that lead to it.
    places: [Option<NonNull<*const Entry>>; 3],
    entries: &'static [Entry],
}

impl Environment {
    /// Finds it. `None` if there is none yet, or it is larger than we handle.
    pub(crate) fn find(survey: &Survey) -> Option<Self> {
        let places = survey.environments.map(|address| place(address?));
        let first = places.into_iter().flatten().next()?;
        // SAFETY: the pointer is a variable of the C library or of the program, and no other thread runs yet.
        let list = unsafe { first.read() };
        let count = count(list)?;
        // SAFETY: that many entries were just read there. Nobody changes them while this library runs.
        let entries = unsafe { slice::from_raw_parts(list, count) };
        Some(Self { places, entries })
    }

    /// The entries, `NAME=value`.
    pub(crate) fn texts(&self) -> impl Iterator<Item = &'static [u8]> {
        self.entries.iter().map(|entry| text(*entry))
    }

    /// Memory for an environment that takes the place of this one.
    pub(crate) fn room(&self) -> Option<Room> {
        let entries = self.entries.len().checked_add(Variable::COUNT)?.checked_add(1)?;
        let list_size = entries.checked_mul(size_of::<Entry>())?;
        let start = system::map(list_size.checked_add(TEXT_ROOM)?)?;
        // SAFETY: the mapping is fresh, nobody else knows it, its zeros are null pointers, and it is aligned to pages.
        let list = unsafe { slice::from_raw_parts_mut(start.cast::<Entry>().as_ptr(), entries) };
        // SAFETY: still within the mapping, after the list.
        let after = unsafe { start.add(list_size) };
        // SAFETY: the rest of the mapping, apart from the list.
        let text = unsafe { slice::from_raw_parts_mut(after.as_ptr(), TEXT_ROOM) };
        Some(Room { list, text })
    }

    /// Puts an environment with the changes into the place of this one.
    pub(crate) fn publish(&self, list: &'static mut [Entry], mut changes: Changes<'static>) -> Option<()> {
        let mut free = list.iter_mut();
        for entry in self.entries {
            let changed = Variable::of(text(*entry)).and_then(|variable| changes.take(variable));
            *free.next()? = changed.map_or(*entry, |text| text.as_ptr().cast());
        }
        for variable in Variable::ALL {
            if let Some(text) = changes.take(*variable) {
                *free.next()? = text.as_ptr().cast();
            }
        }
        // The list ends by the null pointers that fresh memory consists of.
        free.next()?;
        for place in self.places.into_iter().flatten() {
            // SAFETY: as in `find`.
            let current = unsafe { place.read() };
            if ptr::eq(current, self.entries.as_ptr()) {
                // SAFETY: C libraries let programs assign to this variable, and the list lives as long as the process.
                unsafe { place.write(list.as_ptr()) };
            }
        }
        Some(())
    }
}

/// Memory for an environment.
pub(crate) struct Room {
    /// For the list.
    pub(crate) list: &'static mut [Entry],
    /// For texts that are new.
    pub(crate) text: &'static mut [u8],
}

/// The variable at an address.
fn place(address: u64) -> Option<NonNull<*const Entry>> {
    let place = NonNull::new(with_exposed_provenance_mut(usize::try_from(address).ok()?));
    place.filter(|place| place.is_aligned())
}

/// How many entries a list has.
fn count(list: *const Entry) -> Option<usize> {
    let mut at = NonNull::new(list.cast_mut())?;
    let mut size = 0_usize;
    for count in 0..COUNT_LIMIT {
        // SAFETY: the list goes on until its null pointer, which was not met yet.
        let entry = unsafe { at.read() };
        if entry.is_null() {
            return Some(count);
        }
        size = size.checked_add(text(entry).len())?;
        if size > SIZE_LIMIT {
            return None;
        }
        // SAFETY: as above.
        at = unsafe { at.add(1) };
    }
    None
}

/// The text of an entry.
fn text(entry: Entry) -> &'static [u8] {
    // SAFETY: entries of an environment are texts ended by a zero byte, and none is changed while this library runs.
    unsafe { CStr::from_ptr(entry) }.to_bytes()
}
