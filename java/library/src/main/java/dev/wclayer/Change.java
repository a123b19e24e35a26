package dev.wclayer;

/**
 * One difference between a layer and a parent of it.
 *
 * @param kind what happened
 * @param path to what, as in the tar: {@code Files/Windows/a.dll}
 */
public record Change(Kind kind, String path) {
    /** What happened to a path. */
    public enum Kind {
        /** It is not in the parent. */
        ADD('A'),
        /** Its bytes, kind, link text, attributes, write time, descriptor, EAs or streams differ. */
        MODIFY('C'),
        /** It is in the parent and not here. */
        DELETE('D');

        private final char letter;

        Kind(char letter) {
            this.letter = letter;
        }

        /**
         * The letter that Docker shows.
         *
         * @return A, C or D
         */
        public char letter() {
            return letter;
        }

        static Kind of(long letter) {
            for (Kind kind : values()) {
                if (kind.letter == letter) {
                    return kind;
                }
            }
            throw new InternalError("wclayer: unknown kind of change " + letter);
        }
    }

    /**
     * The change as a line.
     *
     * @return for example {@code A Files/x}
     */
    @Override
    public String toString() {
        return kind.letter() + " " + path;
    }
}
