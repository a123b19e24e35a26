package dev.wclayer;

/** How closely {@link WindowsDriver#verify(VerifyDepth, String...)} looks. */
public enum VerifyDepth {
    /** Records, metadata, chains, names, sizes and what was left over; no payload is read. */
    QUICK("quick"),
    /** Every stored byte as well, and that the tar that was applied comes back. */
    FULL("full");

    private final String text;

    VerifyDepth(String text) {
        this.text = text;
    }

    String text() {
        return text;
    }
}
