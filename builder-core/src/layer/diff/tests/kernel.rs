//! The kernel's overlay leaves the marks, not this module's idea of it.

use std::process::Command;

use super::*;
use crate::testing::require_root;
use crate::tree::{Apply, Devices, Options, walk};

/// Edits that leave every mark there is; each script is a part of its own.
const EDITS: [&str; 3] = [
    "rm gone; rm -r tree; mkdir tree; echo new > tree/new; rm -r dir/sub; echo changed > dir/kept
     mkdir made; echo x > made/x; ln made/x made/y; chmod 1777 empty; setfattr -n user.a -v 1 dir 2>/dev/null || true",
    "rm made/x; rm -r made; echo again > gone; rm tree/new; mkdir -p tree/old; rm -r empty; mv dir/kept dir/moved
     ln -s nowhere link; mknod dir/pipe p; chown 12:34 dir/moved",
    "rm link; mkdir link; rm -r tree; echo file > tree; mkdir dir/sub; touch -d @1000000000 dir/sub; rm gone",
];

struct Mounted {
    dir: tempfile::TempDir,
    mounted: bool,
}

impl Mounted {
    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn script(&self, place: &str, script: &str) {
        let done = Command::new("sh").arg("-ec").arg(script).current_dir(self.path(place)).status();
        assert!(done.expect("sh runs").success(), "{script}");
    }

    /// Mounts the uppers below `upper` over the base at `merged`.
    fn mount(&mut self, upper: usize, options: &str) {
        let lowers =
            (0..upper).rev().map(|part| self.path(&format!("upper{part}"))).chain([self.path("base")]);
        let lowers: Vec<String> = lowers.map(|path| path.to_str().expect("text").to_owned()).collect();
        let (upper, work) = (self.path(&format!("upper{upper}")), self.path(&format!("work{upper}")));
        fs::create_dir_all(&upper).expect("an upper");
        fs::create_dir_all(&work).expect("a work directory");
        let options = format!(
            "lowerdir={},upperdir={},workdir={},index=off,metacopy=off{options}",
            lowers.join(":"),
            upper.display(),
            work.display()
        );
        let options = std::ffi::CString::new(options).expect("no NUL");
        let flags = rustix::mount::MountFlags::empty();
        rustix::mount::mount("overlay", self.path("merged"), "overlay", flags, &*options).expect("mounted");
        self.mounted = true;
    }

    fn unmount(&mut self) {
        if std::mem::take(&mut self.mounted) {
            let flags = rustix::mount::UnmountFlags::DETACH;
            rustix::mount::unmount(self.path("merged"), flags).expect("unmounted");
        }
    }

    fn list(&self, name: &str) -> Vec<String> {
        walk(&Overlay::open(&self.path(name)), Marks::None)
            .skip(1)
            .map(|entry| {
                let entry = entry.expect("an entry");
                let meta = format!("{:?}", entry.meta);
                meta + &show(entry)
            })
            .collect()
    }

    fn stack(&self, parts: usize, marks: Marks) -> Stack {
        let parts = (0..parts).rev().map(|part| Overlay::open(&self.path(&format!("upper{part}"))));
        Stack::new(parts.collect(), marks)
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        self.unmount();
    }
}

#[test]
fn the_base_with_the_layer_is_what_the_kernel_showed() {
    if !require_root("the_base_with_the_layer_is_what_the_kernel_showed") {
        return;
    }
    for (marks, options) in [(Marks::Trusted, ",redirect_dir=off"), (Marks::User, ",userxattr")] {
        let dir = tempfile::tempdir_in("/dev/shm").expect("a scratch directory");
        let mut overlay = Mounted { dir, mounted: false };
        for name in ["base", "merged", "copy"] {
            fs::create_dir(overlay.path(name)).expect("a directory");
        }
        overlay.script(
            "base",
            "mkdir -p tree/old/deep dir/sub empty; echo 1 > gone; echo 2 > dir/kept; echo 3 > dir/sub/x
             echo 4 > tree/old/deep/y; echo 5 > same; cp -a . ../copy",
        );
        for (part, edits) in EDITS.iter().enumerate() {
            overlay.mount(part, options);
            overlay.script("merged", edits);
            let shown = overlay.list("merged");
            overlay.unmount();

            // All parts so far as one layer, over a copy of the base.
            let base = Stack::new(vec![Overlay::open(&overlay.path("base"))], marks);
            let parts = overlay.stack(part + 1, marks);
            let copy = format!("copy{part}");
            overlay.script(".", &format!("cp -a base {copy}"));
            let options = Options { marks: Marks::None, devices: Devices::Make, keep_times: true };
            let mut apply = Apply::new(&Overlay::open(&overlay.path(&copy)), options).expect("begun");
            for entry in diff(&parts, Some(&base)) {
                apply.put(entry.expect("an entry")).expect("put");
            }
            apply.finish().expect("finished");
            assert_eq!(overlay.list(&copy), shown, "{marks:?} after part {part}");
        }
    }
}
