//! Random names from the kernel's generator.

/// `bytes` random bytes as lower-case hexadecimal digits.
pub(crate) fn hex(bytes: usize) -> String {
    let mut buffer = vec![0_u8; bytes];
    let mut filled = 0;
    while filled < bytes {
        // Fails only before the pool is seeded at boot or when interrupted; both pass.
        filled += rustix::rand::getrandom(&mut buffer[filled..], rustix::rand::GetRandomFlags::empty())
            .unwrap_or(0);
    }
    buffer.iter().map(|byte| format!("{byte:02x}")).collect()
}
