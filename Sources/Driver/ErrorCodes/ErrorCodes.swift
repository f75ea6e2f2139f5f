/// Looks codes up.
package enum ErrorCodes {
    /// What the DSP adds to its codes (`DSP_AEE_EOFFSET`).
    package static let dspOffset: UInt32 = 0x8000_0400

    /// Whether a number carries the DSP's offset.
    package static func isFromDSP(_ code: UInt32) -> Bool { code > dspOffset && code - dspOffset <= 0x3ff }

    /// Name and meaning of a status code, with or without the DSP's offset; nil where there is none of that
    /// number.
    package static func name(of code: UInt32) -> (name: String, meaning: String)? {
        let entry =
            AEENames.plain.first { $0.code == code }
            ?? shared(isFromDSP(code) ? code - dspOffset : code)
        return entry.map { ($0.name, $0.meaning) }
    }

    /// What to do about a status code in a situation; empty where the table has nothing to say.
    package static func advice(
        _ code: UInt32, in situation: ErrorCode.Situation? = nil, paths: [String: String] = [:]
    ) -> String {
        advice(AEECauses.causes(of: code), situation, paths)
    }

    /// What to do about an `errno` in a situation; empty where the table has nothing to say.
    package static func advice(
        errno: Int32, in situation: ErrorCode.Situation? = nil, paths: [String: String] = [:]
    ) -> String {
        advice(Errnos.entry(errno)?.causes ?? [], situation, paths)
    }

    /// The remedies of the situation, else those that belong to none. Of more than two only the reasons: an error
    /// is one line.
    private static func advice(
        _ causes: [ErrorCode.Cause], _ situation: ErrorCode.Situation?, _ paths: [String: String]
    ) -> String {
        let special = causes.filter {
            $0.situation == situation && situation != nil && !$0.remedy.isEmpty
        }
        let chosen = special.isEmpty ? causes.filter { $0.situation == nil } : special
        var text =
            chosen.count > 2
            ? chosen.map(\.reason).joined(separator: ", or ") + ": fastrpc-probe tells which"
            : chosen.map(\.remedy).filter { !$0.isEmpty }.joined(separator: "; or ")
        for (name, path) in paths { text = replace("{\(name)}", by: path, in: text) }
        return readable(text)
    }

    /// A remedy with general words where paths belong.
    package static func readable(_ remedy: String) -> String {
        defaultPaths.reduce(remedy) { replace("{\($1.key)}", by: $1.value, in: $0) }
    }

    private static let defaultPaths = ["node": "/dev/fastrpc-*", "shell": "the shell"]

    private static func replace(_ mark: String, by path: String, in text: String) -> String {
        var parts: [Substring] = []
        var rest = text[...]
        while let range = rest.firstRange(of: mark) {
            parts.append(rest[..<range.lowerBound])
            rest = rest[range.upperBound...]
        }
        return (parts + [rest]).joined(separator: path)
    }

    /// The table of codes with and without offset, which is sorted.
    private static func shared(_ code: UInt32) -> AEENames.Entry? {
        var low = 0
        var high = AEENames.shared.count
        while low < high {
            let middle = (low + high) / 2
            if AEENames.shared[middle].code < code { low = middle + 1 } else { high = middle }
        }
        guard low < AEENames.shared.count, AEENames.shared[low].code == code else { return nil }
        return AEENames.shared[low]
    }
}

extension ErrorCodes {
    /// Every code that a number can be; empty where no table has it.
    ///
    /// - Parameter number: as it was printed: a code of any family, a negative `errno`, or a 32-bit code as a
    ///   negative number or extended to 64 bits.
    package static func explanations(of number: Int64) -> [ErrorCode] {
        // -13 is how the kernel's own functions say EACCES, and -1 to -4095 what the C library takes for one.
        if (-4095 ... -1).contains(number) { return negative(number) }
        // A 32-bit code that was printed as a signed number of 32 or 64 bits.
        let bits = UInt64(bitPattern: number)
        guard let code = UInt32(exactly: bits) ?? Int32(exactly: number).map(UInt32.init(bitPattern:)) else {
            return []
        }
        if code >= 0xffff_f001 { return negative(Int64(Int32(bitPattern: code))) }
        if code == 0 { return [aee(0)].compactMap { $0 } }
        if isFromDSP(code) { return [aee(code)].compactMap { $0 } }
        let named = [plain(code), shared(code) == nil ? nil : aeeShared(code)].compactMap { $0 }
        return named + [Int32(exactly: code).flatMap(Errnos.entry)].compactMap { $0 }
    }

    /// Codes whose C name is this one.
    package static func explanations(ofName name: String) -> [ErrorCode] {
        let entries = (AEENames.plain + AEENames.shared).filter {
            $0.name == name || $0.name == "AEE_\(name)"
        }
        let codes = entries.map { entry in
            ErrorCode(
                family: .library, number: entry.code, name: entry.name, meaning: entry.meaning,
                causes: AEECauses.causes(of: entry.code))
        }
        return codes + Errnos.all.filter { $0.name == name }
    }

    /// What a number without a name is about, as far as its range tells.
    package static func range(of number: Int64) -> String? {
        guard let code = Int32(exactly: number).map(UInt32.init(bitPattern:)) ?? UInt32(exactly: number)
        else { return nil }
        return AEENames.range(of: isFromDSP(code) ? code - dspOffset : code)
    }

    private static func negative(_ number: Int64) -> [ErrorCode] {
        let lost = Errnos.lost(Int32(number))
        return [lost, Errnos.entry(Int32(-number))].compactMap { $0 }
    }

    private static func aee(_ code: UInt32) -> ErrorCode? {
        name(of: code).map { name, meaning in
            ErrorCode(
                family: isFromDSP(code) ? .dsp : .library, number: code, name: name, meaning: meaning,
                causes: AEECauses.causes(of: code))
        }
    }

    private static func plain(_ code: UInt32) -> ErrorCode? {
        AEENames.plain.first { $0.code == code }.map { entry in
            ErrorCode(
                family: .library, number: code, name: entry.name, meaning: entry.meaning,
                causes: AEECauses.plain[code] ?? [])
        }
    }

    private static func aeeShared(_ code: UInt32) -> ErrorCode? {
        shared(code).map { entry in
            ErrorCode(
                family: .library, number: code, name: entry.name, meaning: entry.meaning,
                causes: AEECauses.shared[code] ?? [])
        }
    }
}
