/// Signatures whose bytes are known from runs of the reference compiler.
enum WorkedExamples {
    /// Flat signatures; `WorkedExamplesStub.swift` is generated from this.
    static let flat = """
        #include "remote.idl"
        #include "AEEStdDef.idl"

        /// Flat signatures.
        interface worked : remote_handle64 {
            /// A point, with gaps.
            struct Pt { short x; double y; octet z; };
            /// Two colours.
            enum Color { RED, /**< the first */ GREEN };
            typedef long L4[4];
            struct A { short x; long y; };
            /// An array of structs, and a gap of seven bytes.
            struct B { A a[3]; octet z; double d; };
            const long LIMIT = 3 + 4 * 2;

            AEEResult none();
            AEEResult scalars(in octet a, in long long b, in short c, rout octet d, rout double e, rout short f);
            AEEResult sum(in sequence<long> v, rout long long r);
            AEEResult str(in string a, rout string b, inrout string c);
            AEEResult pts(in Pt p, rout Pt q, inrout Pt r);
            AEEResult io(inrout long a, inrout sequence<short> b, in Color c, in boolean d);
            AEEResult dma(in dmahandle a, in long b, rout dmahandle c);
            AEEResult tail(in uint64 a, in long b, rout uint32 c, rout uint16 d);
            AEEResult wide(in wstring a, in sequence<wchar> b);
            AEEResult layout(in B b, in octet o, rout B r);
            AEEResult fixed_array(in L4 values, in octet o);
            AEEResult points(in sequence<Pt> a, rout sequence<Pt> b, inrout sequence<Pt> c);
            attribute long speed;
        };
        """

    /// Structs and sequences with data of their own; `NestedExamplesStub.swift` is generated from this.
    static let nested = """
        #include "remote.idl"
        interface nested : remote_handle64 {
            struct Named { long id; string name; };
            struct Blob { octet kind; sequence<uint16_t> data; long long stamp; };
            typedef sequence<octet> buf;
            struct Inner { long x; sequence<octet> l; };
            struct Outer { octet z; sequence<Inner> a; double t; };
            struct Wrap { short k; Inner i; };
            struct A { short x; long y; };
            struct B { A a[3]; octet z; double d; };
            struct C { octet n; sequence<B> b; short s; };
            enum Co { one, two };
            typedef Co E3[3];
            struct S { octet o; Co c[2]; };
            long deep(in sequence<Outer> a, rout sequence<Outer> b, in long c);
            long wrap(in Wrap a, rout Wrap b, rout octet c);
            long split(in C a, rout C b);
            long handles(in sequence<octet> a, in dmahandle b, in sequence<dmahandle> c, rout dmahandle d);
            long mixed(inrout wstring a, rout E3 b, rout S c, in octet d);
            long lists(in sequence<buf> a, rout sequence<buf> b, in sequence<octet> c, rout sequence<octet> d);
            long strings(in sequence<string> a, rout sequence<string> b);
            long cstruct(in octet a, in Named n, rout Named m);
            long blobs(in sequence<Blob> a, rout sequence<Blob> b);
            async long fire(in long a, in sequence<octet> b, rout sequence<octet> c);
        };
        """
}
