package dev.wclayer;

/** Who fills the driver's table of vmcompute functions. */
public enum Backend {
    /** The system's on Windows, the portable one elsewhere. */
    AUTO(0, "auto"),
    /** vmcompute.dll of this Windows. */
    SYSTEM(1, "system"),
    /** Ours, on plain files. */
    PORTABLE(2, "portable");

    final int number;
    private final String text;

    Backend(int number, String text) {
        this.number = number;
        this.text = text;
    }

    /**
     * The name as the option {@code backend} takes it.
     *
     * @return {@code auto}, {@code system} or {@code portable}
     */
    public String text() {
        return text;
    }

    static Backend of(String text) throws InvalidLayerArgumentException {
        for (Backend backend : values()) {
            if (backend.text.equals(text)) {
                return backend;
            }
        }
        throw Failures.argument("Open", "option 'backend' takes auto, system or portable, not '" + text + "'");
    }
}
