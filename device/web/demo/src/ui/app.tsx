import { type Bundle, type Movie, TitleSearch } from '@pocketrec/runtime';
import { useCallback, useMemo, useState } from 'preact/hooks';
import { canExplain, explain } from '../reasons/leave_one_out';
import { has } from '../state/history';
import { shownTitle, spokenTitle } from '../text/title';
import { About } from './about';
import { Header } from './header';
import { ModelPanel } from './model_panel';
import { Popular } from './popular';
import { Recommendations } from './recommendations';
import { Search } from './search';
import { Failed, Invitation, Loading } from './states';
import { useAnswer } from './use_answer';
import { useHistory } from './use_history';
import { useModel } from './use_model';
import { Watched } from './watched';

const POPULAR_AT_FIRST = 12;
const POPULAR_LATER = 6;
const RATING_INPUT = 'context_rating';

export function App() {
  const model = useModel();
  const [said, announce] = useState('');
  return (
    <>
      <Header
        share={model.recommender ? 1 : model.loaded / model.total}
        hasFailed={model.failure !== null}
        kept={model.kept}
      />
      {model.failure ? (
        <main class="layout-single">
          <Failed {...model.failure} />
        </main>
      ) : model.bundle ? (
        <Main model={model} bundle={model.bundle} announce={announce} />
      ) : (
        <main class="layout-single">
          <Loading loaded={model.loaded} total={model.total} />
        </main>
      )}
      <p class="visually-hidden" role="status">
        {said}
      </p>
    </>
  );
}

interface MainProps {
  readonly model: ReturnType<typeof useModel>;
  readonly bundle: Bundle;
  readonly announce: (text: string) => void;
}

function Main({ model, bundle, announce }: MainProps) {
  const { engine, recommender } = model;
  const { manifest, movies } = bundle;
  const { history, isKept, dispatch } = useHistory(bundle);
  const { entries } = history;
  const measured = useAnswer(recommender, entries);
  const titles = useMemo(() => new TitleSearch(movies), [movies]);
  const byCount = useMemo(
    () => [...movies].sort((one, other) => other.count - one.count),
    [movies],
  );
  const isWatched = (movieId: number): boolean => has(history, movieId);
  const unseen = (movie: Movie): boolean => !isWatched(movie.movieId);
  const nameOf = (movieId: number): string => {
    const movie = bundle.movie(movieId);
    return spokenTitle(shownTitle(movie.title, movie.year));
  };
  const pick = (movie: Movie): void => {
    dispatch({ kind: 'add', movieId: movie.movieId, title: movie.title });
    announce(`Added ${nameOf(movie.movieId)}.`);
  };
  const reasonOf = useCallback(
    (movieId: number) => {
      if (!recommender) {
        throw new Error('there is no recommendation before there is a model');
      }
      return explain(recommender, entries, movieId);
    },
    [recommender, entries],
  );

  return (
    <main class="layout">
      <section class="panel yours" aria-labelledby="yours-title">
        <h2 id="yours-title">What did you watch?</h2>
        <Search titles={titles} isWatched={isWatched} onPick={pick} announce={announce} />
        <Watched
          history={history}
          isRated={manifest.furtherInputs.has(RATING_INPUT)}
          historyLength={manifest.historyLength}
          dispatch={dispatch}
        />
        <Popular
          movies={byCount
            .filter(unseen)
            .slice(0, entries.length === 0 ? POPULAR_AT_FIRST : POPULAR_LATER)}
          isLater={entries.length > 0}
          onPick={pick}
        />
      </section>
      <section class="panel answer" aria-labelledby="answer-title" aria-busy={!recommender}>
        <h2 id="answer-title">Recommended for you</h2>
        {!recommender && <Loading loaded={model.loaded} total={model.total} />}
        {recommender && entries.length === 0 && <Invitation />}
        {measured.refusal && <p class="state">{measured.refusal}</p>}
        {recommender && measured.answer && (
          <Recommendations
            recommendations={measured.answer.recommendations.filter(({ movie }) => unseen(movie))}
            explain={canExplain(entries, manifest) ? reasonOf : null}
            titleOf={nameOf}
            onPick={pick}
            announce={announce}
          />
        )}
      </section>
      <ModelPanel
        manifest={manifest}
        figures={engine?.figures ?? new Map()}
        variant={recommender?.variant ?? manifest.defaultVariant}
        opening={model.opening}
        problem={model.problem}
        inferences={measured.inferences.get(recommender?.variant ?? '') ?? []}
        firstAnswer={measured.firstAnswer}
        onChoose={model.choose}
      />
      <About
        manifest={manifest}
        movies={movies.length}
        isKept={isKept}
        canForget={entries.length > 0 || history.before !== null}
        onForget={() => {
          dispatch({ kind: 'forget' });
          announce('Your list is forgotten.');
        }}
      />
    </main>
  );
}
