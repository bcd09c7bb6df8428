//! Work in a store that is only there meanwhile, over the images of another: a build that is compared with another one
//! leaves nothing, and finds nothing but images.

use rustix::mount::MountAttrFlags;

use crate::builder::Builder;
use crate::error::{Context, Result};
use crate::event::Silent;
use crate::settings::Settings;
use crate::sys::mount;

/// Does `work` with the settings of such a store, on a thread of its own, and gives what it gives.
///
/// The store is in memory, where `bytes` are free there and the kernel allows it, so that the files are on another kind
/// of file system than most are; else beside the other one, which sweeps it. Names of files are not kept in the order
/// in which the files came about.
///
/// # Errors
/// The store cannot be made, or what `work` fails with.
pub fn in_memory<T: Send>(
    builder: &Builder<'_>,
    bytes: u64,
    work: impl FnOnce(&Settings) -> Result<T> + Send,
) -> Result<T> {
    let scratch = builder.scratch()?;
    let root = scratch.path().join("store");
    std::fs::create_dir(&root).cannot("make", root.display())?;
    let mut settings = builder.settings.clone();
    settings.shuffled = true;
    settings.read_only_stores.insert(0, std::mem::replace(&mut settings.root, root.clone()));
    let done = mount::in_own_namespace(|| {
        // Where there is no such file system, or no room in it, the directory serves as well.
        let memory = mount::file_system(c"tmpfs", &[(c"mode", "700")], MountAttrFlags::empty());
        if let Ok(memory) = memory
            && rustix::fs::fstatvfs(&memory).is_ok_and(|stat| stat.f_bavail * stat.f_frsize >= bytes)
        {
            mount::attach(&memory, &root)?;
            let form = Builder::open(&settings, builder.host, &Silent).map(|made| made.store.form());
            // Trees with other marks could not be used in place.
            if form.ok() != Some(builder.store.form()) {
                mount::detach_lazily(&root)?;
            }
        }
        Ok(work(&settings))
    });
    done.cannot("make a store in", root.display())?
}
