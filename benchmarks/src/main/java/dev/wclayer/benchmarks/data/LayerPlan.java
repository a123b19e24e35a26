package dev.wclayer.benchmarks.data;

import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Random;

/** Names, sizes and metadata of a layer, before a byte of it is made; in the order of its tar: folders before content. */
final class LayerPlan {
    /** One folder or file; a folder has no kind of content and no size. */
    record Entry(String path, boolean folder, long size, Payload.Kind kind, long seed, int descriptor, Instant time) {}

    private static final long SEED = 0x77636C61796572L;
    private static final double SIGMA = 1.6;
    private static final Instant BUILT = Instant.parse("2024-05-08T08:12:44Z");
    private static final String[] COMPONENTS = {
        "networking", "security", "storage", "kernel", "servicing", "update", "diagnostics", "powershell", "crypto",
        "driver", "installer", "management", "provider", "scripting", "audio", "printing", "remoting", "compat"
    };

    private final DataSet set;
    private final Random random;
    private final List<Entry> entries = new ArrayList<>();

    private LayerPlan(DataSet set) {
        this.set = set;
        this.random = new Random(SEED ^ set.name().hashCode());
    }

    /** The entries of a generated set. */
    static List<Entry> of(DataSet set) {
        LayerPlan plan = new LayerPlan(set);
        List<String> folders = plan.folders();
        long[] sizes = plan.sizes();
        for (int i = 0; i < sizes.length; i++) {
            plan.file(folders.get(plan.random.nextInt(folders.size())), i, sizes[i]);
        }
        // A space sorts before everything a name holds: folders come right before what is in them.
        plan.entries.sort(Comparator.comparing(entry -> entry.path().replace('/', ' ')));
        return plan.entries;
    }

    private List<String> folders() {
        boolean deep = set.shape() == DataSet.Shape.WINDOWS || set.shape() == DataSet.Shape.WINDOWS_LARGE;
        List<String> folders = new ArrayList<>();
        for (String fixed : deep
                ? List.of("Files/Windows", "Files/Windows/WinSxS", "Files/Windows/System32")
                : List.of("Files/data")) {
            folder(fixed);
        }
        for (int i = entries.size() + 1; i < set.folders(); i++) { // and Files itself
            String path = deep ? deepFolder(folders, i) : String.format(Locale.ROOT, "Files/data/folder-%04d", i);
            folder(path);
            folders.add(path);
        }
        if (folders.isEmpty()) {
            folders.add(entries.get(0).path());
        }
        return folders;
    }

    /** Three of four below WinSxS, as in real images; the rest three levels and more below System32. */
    private String deepFolder(List<String> folders, int index) {
        if (index % 4 != 0) {
            return String.format(
                    Locale.ROOT,
                    "Files/Windows/WinSxS/amd64_microsoft-windows-%s-%s_31bf3856ad364e35_10.0.20348.%d_none_%08x%08x",
                    word(),
                    word(),
                    1 + random.nextInt(2500),
                    random.nextInt(),
                    index);
        }
        String above = index % 8 == 0 && index > 16 ? folders.get(index - 9) : "Files/Windows/System32";
        if (!above.contains("System32")) {
            above = "Files/Windows/System32";
        }
        return above + "/" + word() + "-" + index;
    }

    private String word() {
        return COMPONENTS[random.nextInt(COMPONENTS.length)];
    }

    private void folder(String path) {
        entries.add(new Entry(path, true, 0, Payload.Kind.TEXT, 0, descriptor(), time()));
    }

    private void file(String folder, int index, long size) {
        int dice = random.nextInt(10);
        Payload.Kind kind = dice < 6 ? Payload.Kind.EXECUTABLE : dice < 9 ? Payload.Kind.TEXT : Payload.Kind.NOISE;
        String extension = switch (kind) {
            case EXECUTABLE -> random.nextInt(8) == 0 ? ".exe" : ".dll";
            case TEXT -> random.nextInt(3) == 0 ? ".xml" : ".manifest";
            case NOISE -> random.nextBoolean() ? ".cat" : ".png";
        };
        String path = folder + "/" + word() + word() + index + extension;
        entries.add(new Entry(path, false, size, kind, random.nextLong(), descriptor(), time()));
    }

    /** A few descriptors are used by most entries. */
    private int descriptor() {
        double unit = random.nextDouble();
        return (int) (unit * unit * unit * 200);
    }

    private Instant time() {
        return BUILT.minusSeconds(random.nextInt(200_000_000)).plusNanos(random.nextInt(10_000_000) * 100L);
    }

    private long[] sizes() {
        long[] sizes = new long[set.files()];
        double[] raw = new double[sizes.length];
        double sum = 0;
        for (int i = 0; i < raw.length; i++) {
            raw[i] = rawSize();
            sum += raw[i];
        }
        for (int i = 0; i < raw.length; i++) {
            sizes[i] = Math.round(raw[i] * set.payloadBytes() / sum);
        }
        return sizes;
    }

    /** In any unit: what counts is the share of the whole. */
    private double rawSize() {
        return switch (set.shape()) {
            case WINDOWS, WINDOWS_LARGE -> Math.min(400, StrictMath.exp(SIGMA * random.nextGaussian()));
            case SMALL -> 1 + 3 * random.nextDouble();
            case TINY -> random.nextInt(101);
            case PE -> throw new IllegalStateException("pe is not made, it is taken from libwine");
        };
    }
}
