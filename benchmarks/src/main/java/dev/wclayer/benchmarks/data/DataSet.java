package dev.wclayer.benchmarks.data;

import java.util.Locale;

/**
 * What a layer is made of. The names are those of the performance tables; {@code nano/10} is a tenth of nano: a tenth of
 * the files, folders and bytes.
 *
 * @param name the name, with its divisor
 * @param shape what sort of layer
 * @param files how many files; 0 for {@link Shape#PE}, where the package decides
 * @param folders how many folders
 * @param payloadBytes the bytes of all files together
 */
public record DataSet(String name, Shape shape, int files, int folders, long payloadBytes) {
    /** Sorts of layers. */
    public enum Shape {
        /** As Windows images are: log-normal sizes, deep long names, mostly executables. */
        WINDOWS(6_500, 970, 270_000_000L),
        /** The same, as large as Server Core. */
        WINDOWS_LARGE(60_000, 8_800, 2_000_000_000L),
        /** Many small files. */
        SMALL(100_000, 501, 256_000_000L),
        /** A million tiny files: growth and memory. */
        TINY(1_000_000, 2_000, 50_000_000L),
        /** The real executables of Debian's libwine. */
        PE(0, 3, 0);

        private final int files;
        private final int folders;
        private final long payloadBytes;

        Shape(int files, int folders, long payloadBytes) {
            this.files = files;
            this.folders = folders;
            this.payloadBytes = payloadBytes;
        }
    }

    private static final int MAX_DIVISOR = 1_000;

    /**
     * Finds a set by its name.
     *
     * @param name nano, core, small, million or pe; all but pe may be divided, as in {@code nano/10}
     * @return the set
     * @throws IllegalArgumentException if there is no such set
     */
    public static DataSet of(String name) {
        int slash = name.indexOf('/');
        String base = slash < 0 ? name : name.substring(0, slash);
        Shape shape = switch (base.toLowerCase(Locale.ROOT)) {
            case "nano" -> Shape.WINDOWS;
            case "core" -> Shape.WINDOWS_LARGE;
            case "small" -> Shape.SMALL;
            case "million" -> Shape.TINY;
            case "pe" -> Shape.PE;
            default ->
                throw new IllegalArgumentException("no data set '" + name
                        + "'; there are nano, core, small, million and pe, and parts as nano/10");
        };
        int divisor = slash < 0 ? 1 : divisor(name, name.substring(slash + 1), shape);
        return new DataSet(
                name, shape, shape.files / divisor, Math.max(1, shape.folders / divisor), shape.payloadBytes / divisor);
    }

    /** The name as part of a path. */
    public String folderName() {
        return name.replace('/', '-');
    }

    private static int divisor(String name, String text, Shape shape) {
        int divisor;
        try {
            divisor = Integer.parseInt(text);
        } catch (NumberFormatException notANumber) {
            throw new IllegalArgumentException("no data set '" + name + "': '" + text + "' is no number", notANumber);
        }
        if (divisor < 1 || divisor > MAX_DIVISOR || shape == Shape.PE) {
            throw new IllegalArgumentException(
                    "no data set '" + name + "': all but pe may be divided, by 1 to " + MAX_DIVISOR);
        }
        return divisor;
    }
}
