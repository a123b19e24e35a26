package dev.wclayer;

import java.time.Instant;

/**
 * One entry of a layer.
 *
 * @param kind what it is
 * @param path its path as in the tar; lone surrogates of Windows names are kept
 * @param sizeBytes size of its data
 * @param attributes its Win32 file attributes
 * @param writeTime when it was last written, in steps of 100 ns
 * @param target where a link points, as Windows writes it; for a hard link the path of the first name; else empty
 */
public record EntryInfo(Kind kind, String path, long sizeBytes, int attributes, Instant writeTime, String target) {
    /** What an entry is. */
    public enum Kind {
        /** A file. */
        FILE('f'),
        /** A folder. */
        FOLDER('d'),
        /** A symbolic link, to a file or folder. */
        SYMBOLIC_LINK('l'),
        /** A junction (mount point). */
        JUNCTION('j'),
        /** A reparse point of another kind. */
        REPARSE_POINT('r'),
        /** A further name of a file that came before. */
        HARD_LINK('h'),
        /** The deletion of something in a parent. */
        WHITEOUT('w');

        private final char letter;

        Kind(char letter) {
            this.letter = letter;
        }

        /**
         * The letter that {@code ls} shows.
         *
         * @return f, d, l, j, r, h or w
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
            throw new InternalError("wclayer: unknown kind of entry " + letter);
        }
    }
}
