package dev.wclayer;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/**
 * The packed jar alone, on a processor that this computer need not have ({@code ./build test extended} runs it under
 * qemu): applies tars on one another, edits the top and applies what changed. Every byte has to come back.
 */
final class PackedSmoke {
    private PackedSmoke() {}

    /**
     * Runs it.
     *
     * @param args a folder that may be filled, and plain tars, lowest first
     */
    public static void main(String[] args) throws Exception {
        Path folder = Path.of(args[0]);
        try (WindowsDriver driver =
                WindowsDriver.builder(folder.resolve("home")).open()) {
            String parent = "";
            for (int i = 1; i < args.length; i++) {
                String id = "layer" + i;
                comesBack(driver, id, parent, Path.of(args[i]), folder.resolve(id + ".tar"));
                parent = id;
            }
            driver.createReadWrite("box", parent);
            try (LayerMount mount = driver.mount("box")) {
                Files.writeString(mount.path().resolve("möhre.txt"), "hello");
            }
            List<Change> changes = driver.changes("box", parent);
            check(changes.toString().equals("[C Files, A Files/möhre.txt]"), "changes: " + changes);
            Path edited = folder.resolve("box.tar");
            try (LayerDiff diff = driver.diff("box", parent)) {
                diff.transferTo(edited);
            }
            comesBack(driver, "edited", parent, edited, folder.resolve("edited.tar"));
        }
        System.out.println("smoke: " + System.getProperty("os.arch") + ", " + args.length + " layers came back");
    }

    private static void comesBack(WindowsDriver driver, String id, String parent, Path tar, Path back)
            throws LayerException, IOException {
        ApplyResult applied = driver.applyDiff(id, parent, tar);
        String digest;
        try (LayerDiff diff = driver.diff(id, parent)) {
            diff.transferTo(back);
            digest = diff.diffId();
        }
        check(digest.equals(applied.diffId()), id + " has digest " + digest + ", not " + applied.diffId());
        check(Files.mismatch(tar, back) == -1, back + " differs from " + tar);
    }

    private static void check(boolean holds, String otherwise) {
        if (!holds) {
            throw new AssertionError(otherwise);
        }
    }
}
