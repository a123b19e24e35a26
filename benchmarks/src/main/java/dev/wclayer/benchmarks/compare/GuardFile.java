package dev.wclayer.benchmarks.compare;

import com.google.gson.Gson;
import com.google.gson.JsonParseException;
import java.io.IOException;
import java.io.Reader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * The ratios that must not be lost, {@code benchmarks/guard.json}.
 *
 * @param slack how far below its floor a ratio may fall: 0.15 lets 85 % of it pass
 * @param floors the ratios
 */
public record GuardFile(double slack, List<Floor> floors) {
    private static final double MOST_SLACK = 0.5;

    /**
     * One ratio.
     *
     * @param row id and data set of a row
     * @param peer one of its peers
     * @param ratio what our lead over it was when this was last set
     * @param slack its own slack, where its figures are steadier than others
     */
    public record Floor(
            String row, String peer, double ratio, @Nullable Double slack) {}

    /** Reads and checks it: a guard that guards nothing is an error. */
    public static GuardFile read(Path file) throws IOException {
        try (Reader in = Files.newBufferedReader(file)) {
            GuardFile guard = new Gson().fromJson(in, GuardFile.class);
            if (guard == null || guard.floors() == null || guard.floors().isEmpty()) {
                throw new IOException(file + " names no floors");
            }
            if (!(guard.slack() >= 0 && guard.slack() <= MOST_SLACK)) {
                throw new IOException(file + ": slack is from 0 to " + MOST_SLACK + ", not " + guard.slack());
            }
            for (Floor floor : guard.floors()) {
                Double own = floor.slack();
                if (own != null && !(own >= 0 && own <= MOST_SLACK)) {
                    throw new IOException(file + ": slack is from 0 to " + MOST_SLACK + ", not " + own);
                }
                if (floor.row() == null || floor.peer() == null || !(floor.ratio() > 0)) {
                    throw new IOException(file + ": a floor needs row, peer and a ratio above 0: " + floor);
                }
            }
            return guard;
        } catch (JsonParseException malformed) {
            throw new IOException(file + " is malformed: " + malformed.getMessage(), malformed);
        }
    }

    /** What a ratio must reach. */
    public double least(Floor floor) {
        Double own = floor.slack();
        return floor.ratio() * (1 - (own == null ? slack : own));
    }

    /** Whether there is a floor for a peer in a row. */
    public boolean watches(String row, String peer) {
        return floors.stream()
                .anyMatch(floor -> floor.row().equals(row) && floor.peer().equals(peer));
    }

    /** The rows it needs. */
    public Set<String> rows() {
        Set<String> rows = new LinkedHashSet<>();
        floors.forEach(floor -> rows.add(floor.row()));
        return rows;
    }
}
