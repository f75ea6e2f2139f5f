/// What a status code means, why it comes, and what to do about it.
///
/// This is the one table of the package: errors take their words of advice from it, and
/// `fastrpc-probe explain` prints it.
package struct ErrorCode: Hashable, Sendable {
    /// Whose numbers they are. The same number can be a code of several families.
    package enum Family: String, Hashable, Sendable {
        /// `AEEStdErr.h`, said by the host's side: libcdsprpc, or a transport of this package.
        case library
        /// `AEEStdErr.h`, said by the DSP: with the offset `0x80000400`.
        case dsp
        /// `errno` of the kernel.
        case errno
    }

    package var family: Family
    /// The number within the family, with the DSP's offset.
    package var number: UInt32
    /// The C name, for example `AEE_EBADPARM`.
    package var name: String
    /// In a few words.
    package var meaning: String
    /// The usual causes, most frequent first; empty where none stands out.
    package var causes: [Cause]

    /// Why a code comes, and what to do about it.
    package struct Cause: Hashable, Sendable {
        /// What was being done, where the cause belongs to it alone.
        package var situation: Situation?
        package var reason: String
        /// What an error says after its code. `{node}` and `{shell}` stand for paths.
        package var remedy: String

        init(_ reason: String, _ remedy: String) {
            self.init(nil, reason, remedy)
        }

        init(_ situation: Situation?, _ reason: String, _ remedy: String) {
            self.situation = situation
            self.reason = reason
            self.remedy = remedy
        }
    }

    /// What was being done when a code came.
    package enum Situation: String, Hashable, Sendable {
        case openNode = "opening the device node"
        case allocate = "allocating shared memory"
        case attach = "attaching to a process of the DSP"
        case createProcess = "creating the process on the DSP"
        case createStaticProcess = "creating a static process"
        case openModule = "opening a module"
        case call = "calling a method"
        case map = "mapping a buffer"
        case unmap = "unmapping a buffer"
        case addPages = "adding pages"
        case removePages = "removing pages"
        case information = "asking for a capability"
        case setOption = "setting an option"
        case library = "anything through libcdsprpc"
    }
}
