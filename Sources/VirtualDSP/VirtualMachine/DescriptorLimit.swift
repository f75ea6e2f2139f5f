import CLinux

/// How many descriptors this process may have open: every open file of a node takes two, every call that lasts
/// one, so the usual 1024 are soon spent.
struct DescriptorLimit {
    private var former: CUnsignedLong?

    /// Raises the limit as far as it goes.
    static func raised() -> DescriptorLimit {
        var (former, maximum): (CUnsignedLong, CUnsignedLong) = (0, 0)
        guard clinux_descriptor_limit(0, nil, &former, &maximum) == 0, former < maximum,
            clinux_descriptor_limit(0, &maximum, nil, nil) == 0
        else { return DescriptorLimit() }
        return DescriptorLimit(former: former)
    }

    /// Gives a child the limit that it would have had.
    func lower(for process: CInt) {
        guard var former else { return }
        _ = clinux_descriptor_limit(process, &former, nil, nil)
    }

    /// Sets the limit as it was.
    func restore() {
        lower(for: 0)
    }
}
