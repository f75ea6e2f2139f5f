// The DSP's C functions for time, power and resources. Signatures: HAP_perf.h, HAP_power.h and
// HAP_compute_res.h of the Hexagon SDK, as named in public programs.
import CShell
import Glibc
import RemoteCalls

private func nanoseconds() -> UInt64 {
    var now = timespec()
    clock_gettime(CLOCK_MONOTONIC, &now)
    return UInt64(now.tv_sec) * 1_000_000_000 + UInt64(now.tv_nsec)
}

/// `HAP_perf_get_time_us`
@_cdecl("HAP_perf_get_time_us")
public func hapPerfGetTimeUs() -> UInt64 { nanoseconds() / 1000 }

/// `HAP_perf_get_pcycles`: as if the processor ran at 1 GHz.
@_cdecl("HAP_perf_get_pcycles")
public func hapPerfGetPcycles() -> UInt64 { nanoseconds() }

/// `HAP_power_set`: every wish is granted, none has an effect.
@_cdecl("HAP_power_set")
public func hapPowerSet(_ context: UnsafeMutableRawPointer?, _ request: UnsafeRawPointer?) -> CInt {
    request == nil ? AEEResult.badParameter.status : 0
}

/// `compute_resource_query_VTCM`: there is none. Layouts stay as they are.
@_cdecl("compute_resource_query_VTCM")
public func computeResourceQueryVTCM(
    _ application: UInt32, _ total: UnsafeMutablePointer<UInt32>?, _ layout: UnsafeMutableRawPointer?,
    _ available: UnsafeMutablePointer<UInt32>?, _ availableLayout: UnsafeMutableRawPointer?
) -> CInt {
    total?.pointee = 0
    available?.pointee = 0
    return 0
}

/// `compute_resource_acquire`: 0, which is how it fails.
@_cdecl("compute_resource_acquire")
public func computeResourceAcquire(_ attributes: UnsafeRawPointer?, _ timeout: UInt32) -> UInt32 { 0 }

/// `compute_resource_release`: nothing was acquired.
@_cdecl("compute_resource_release")
public func computeResourceRelease(_ context: UInt32) -> CInt { AEEResult.badParameter.status }

/// Where `HAP_debug` and its relatives send their lines.
enum ProgramLog {
    /// Takes the lines of all programs to their processes.
    static let start: Void = cshell_set_log { level, file, line, text in
        guard let text, let shell = CurrentShell.shell else { return }
        shell.log.log(
            ProgramLog.line(
                Int(level), file.map { String(cString: $0) } ?? "", Int(line), String(cString: text)))
    }

    /// A line as the host's log shows it.
    static func line(_ level: Int, _ file: String, _ line: Int, _ text: String) -> String {
        let levels = ["low", "medium", "high", "error", "fatal"]
        let name = levels.indices.contains(level) ? levels[level] : "log"
        return file.isEmpty ? "\(name): \(text)" : "\(name): \(file):\(line): \(text)"
    }
}
