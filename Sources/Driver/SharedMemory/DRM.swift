import Glibc

/// The part of `include/uapi/drm/drm.h` and `include/uapi/drm/msm_drm.h` that is used here. Numbers of
/// drivers start at 0x40 and mean something else with each driver, so its name is asked for first.
package enum DRM {
    /// `DRM_IOCTL_VERSION`
    package static let version = IOControlRequest(
        .readWrite, "d", 0, byteCount: MemoryLayout<Version>.size)
    /// `DRM_IOCTL_GEM_CLOSE`
    package static let closeHandle = IOControlRequest(
        .write, "d", 0x09, byteCount: MemoryLayout<CloseHandle>.size)
    /// `DRM_IOCTL_PRIME_HANDLE_TO_FD`
    package static let handleToDescriptor = IOControlRequest(
        .readWrite, "d", 0x2d, byteCount: MemoryLayout<PrimeHandle>.size)
    /// `DRM_IOCTL_PRIME_FD_TO_HANDLE`
    package static let descriptorToHandle = IOControlRequest(
        .readWrite, "d", 0x2e, byteCount: MemoryLayout<PrimeHandle>.size)
    /// `DRM_IOCTL_MSM_GEM_NEW`
    package static let msmNew = IOControlRequest(
        .readWrite, "d", 0x42, byteCount: MemoryLayout<MSMNew>.size)

    /// `struct drm_version` on 64-bit machines, 64 bytes.
    package struct Version: BitwiseCopyable {
        /// `version_major`, `version_minor`, `version_patchlevel`
        package var numbers: (CInt, CInt, CInt) = (0, 0, 0)
        /// `name_len`: room at `name`; the kernel sets it to the length of the name.
        package var nameByteCount: UInt64 = 0
        /// `name`
        package var name: UInt64 = 0
        /// `date_len`, `date`, `desc_len`, `desc`: not asked for.
        package var unused: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)

        package init() {}
    }

    /// `struct drm_gem_close`, 8 bytes.
    package struct CloseHandle: BitwiseCopyable {
        /// `handle`
        package var handle: UInt32
        /// `pad`
        package var padding: UInt32 = 0

        package init(handle: UInt32) {
            self.handle = handle
        }
    }

    /// `struct drm_prime_handle`, 12 bytes.
    package struct PrimeHandle: BitwiseCopyable {
        /// `handle`
        package var handle: UInt32 = 0
        /// `flags` of the new descriptor: `DRM_RDWR`, without which it cannot be mapped for writing, and
        /// `DRM_CLOEXEC`.
        package var flags: UInt32 = 0
        /// `fd`
        package var descriptor: Int32 = -1

        package init(handle: UInt32) {
            self.handle = handle
            flags = UInt32(O_RDWR | O_CLOEXEC)
        }

        package init(descriptor: CInt) {
            self.descriptor = descriptor
        }
    }

    /// `struct drm_msm_gem_new`, 16 bytes.
    package struct MSMNew: BitwiseCopyable {
        /// `size`
        package var byteCount: UInt64
        /// `flags`
        package var flags: UInt32
        /// `handle`, set by the kernel.
        package var handle: UInt32 = 0

        package init(byteCount: UInt64, flags: UInt32) {
            self.byteCount = byteCount
            self.flags = flags
        }
    }
}
