import type { ComponentChildren } from 'preact';

function Icon({ children }: { children: ComponentChildren }) {
  return (
    <svg class="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      {children}
    </svg>
  );
}

export const PlusIcon = () => (
  <Icon>
    <path d="M12 5v14M5 12h14" />
  </Icon>
);

export const CrossIcon = () => (
  <Icon>
    <path d="m6.5 6.5 11 11m0-11-11 11" />
  </Icon>
);

export const SearchIcon = () => (
  <Icon>
    <circle cx="11" cy="11" r="6.5" />
    <path d="m16 16 4.5 4.5" />
  </Icon>
);

export const CheckIcon = () => (
  <Icon>
    <path d="m5 12.5 4.5 4.5L19 7.5" />
  </Icon>
);

export const LockIcon = () => (
  <Icon>
    <rect x="5" y="10.5" width="14" height="9.5" rx="2" />
    <path d="M8 10.5V8a4 4 0 0 1 8 0v2.5" />
  </Icon>
);

export const Logo = () => (
  <svg class="logo" viewBox="0 0 64 64" aria-hidden="true" focusable="false">
    <rect class="logo-ground" width="64" height="64" rx="15" />
    <path class="logo-pocket" d="M14 21h36v14a18 18 0 0 1-36 0z" />
    <path class="logo-seam" d="M14 21h36" />
    <path
      class="logo-ground"
      d="M28 29.5v14.4a1 1 0 0 0 1.5.9l11.6-7.2a1 1 0 0 0 0-1.7l-11.6-7.2a1 1 0 0 0-1.5.8z"
    />
  </svg>
);
